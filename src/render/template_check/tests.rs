use super::*;
use crate::base::artifact::FileAccess;
use crate::config::{FileTarget, Keys};
use crate::render::testing::{at, computed, delivery, from, picking};

fn found(delivery: Delivery) -> Vec<String> {
    found_in(delivery, "")
}

fn found_in(delivery: Delivery, text: &str) -> Vec<String> {
    let config = Config {
        vaults: Default::default(),
        keys: Keys::default(),
        sidecar: Default::default(),
        deliveries: vec![delivery],
        ..Config::default()
    };
    let texts = [("k.yaml".to_owned(), text.to_owned())].into();
    let problems = check_templates(&config, &texts, &|_| false);
    problems
        .into_iter()
        .map(|problem| format!("{}: {}", problem.at, problem.what))
        .collect()
}

fn template_file(text: &str) -> Target {
    Target::File(FileTarget {
        path: "out".into(),
        format: FileFormat::Template {
            text: text.to_owned(),
            name: "app.tmpl".to_owned(),
        },
        access: FileAccess::PRIVATE,
        at: at(9),
    })
}

#[test]
fn what_does_not_parse_is_found_with_its_place() {
    let mut broken = delivery([from("kv/a", 2)]);
    broken.fields = vec![
        computed("X", "{{ A | nope }}", 4),
        computed("Y", "{{ A }}", 5),
    ];
    broken.to = vec![template_file("ok\n{{ A"), template_file("{{ A }}")];
    assert_eq!(
        found(broken),
        [
            "k.yaml:4:1: template of field `X`, line 1, column 8: there is no filter `nope`",
            "app.tmpl:2:1: delivery `d`: the template does not parse: unexpected end of input, \
             expected end of variable block",
        ]
    );
}

#[test]
fn names_are_looked_up_where_all_of_them_are_known() {
    let picked = || {
        let mut one = picking("kv/a", 2, ["A", "B"]);
        one.rename = vec![("B".to_owned(), "C".to_owned())];
        one.prefix = "P_".to_owned();
        one
    };
    let template =
        "{{ P_A }}{{ P_C }}{{ P_B }}{{ B | default('x') }}{{ fields['tls.crt'] }}{{ LATER }}";
    let mut known = delivery([picked()]);
    known.fields = vec![computed("X", template, 4), computed("LATER", "{{ X }}", 5)];
    known.to = vec![template_file("{{ X }}{{ LATER }}{{ NOPE }}")];
    assert_eq!(
        found(known),
        [
            "k.yaml:4:1: template of field `X`, line 1, column 22: `P_B` is not defined",
            "k.yaml:4:1: template of field `X`, line 1, column 53: `tls.crt` is not defined",
            "k.yaml:4:1: template of field `X`, line 1, column 76: `LATER` is not defined",
            "app.tmpl:1:22: delivery `d`: `NOPE` is not defined",
        ]
    );
    let mut unknown = delivery([picked(), from("kv/b", 3)]);
    unknown.fields = vec![computed("X", template, 4)];
    assert_eq!(found(unknown), [""; 0]);
}

#[test]
fn a_name_that_the_template_asks_for_may_be_absent_wherever_it_is_read() {
    let template = "{% if C is defined %}{{ C }}{% endif %}{{ D if fields.D is defined else '' }}\
                    {% if 'E' in fields and E == 'x' %}{{ E }}{% endif %}\
                    {% if 'F' not in fields %}{% else %}{{ F }}{% endif %}";
    let mut known = delivery([picking("kv/a", 2, ["A"])]);
    known.fields = vec![computed("X", template, 4)];
    assert_eq!(found(known), [""; 0]);
    let mut known = delivery([picking("kv/a", 2, ["A"])]);
    known.fields = vec![computed(
        "X",
        "{{ T | default('') }}{{ T.a is defined }}{{ T }}",
        4,
    )];
    assert_eq!(
        found(known),
        ["k.yaml:4:1: template of field `X`, line 1, column 45: `T` is not defined"]
    );
}

#[test]
fn a_template_that_stands_in_the_configuration_is_pointed_into() {
    for (text, template, expected) in [
        (
            "\n\n\nX: '{{ A | nope }}'",
            "{{ A | nope }}",
            "k.yaml:4:12: ",
        ),
        (
            "\n\n\nX: a{{ A | nope }}",
            "a{{ A | nope }}",
            "k.yaml:4:12: ",
        ),
        (
            "\n\n\nX: |\n\n  a\n  {{ A | nope }}",
            "\na\n{{ A | nope }}",
            "k.yaml:7:10: ",
        ),
        (
            "\n\n\nX: \"\\t{{ A | nope }}\"",
            "\t{{ A | nope }}",
            "k.yaml:4:4: template of field `X`, line 1, column 9: ",
        ),
        (
            "\n\n\nX: ${Z}{{ A | nope }}",
            "{{ A | nope }}",
            "k.yaml:4:4: template of field `X`, line 1, column 8: ",
        ),
    ] {
        let mut broken = delivery([from("kv/a", 2)]);
        broken.fields = vec![computed("X", template, 4)];
        broken.fields[0].at.column = 4;
        let found = found_in(broken, text);
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}

#[test]
fn lists_of_names_are_looked_up_too() {
    let mut one = delivery([picking("kv/a", 2, ["A"])]);
    one.fields = vec![computed("X", "{{ A }}", 4)];
    let named = |name: &str, line| FieldName {
        name: name.to_owned(),
        at: at(line),
    };
    one.require = vec![named("A", 5), named("B", 6)];
    one.deliver = vec![named("X", 7), named("C", 8)];
    assert_eq!(
        found(one),
        [
            "k.yaml:6:1: `require`: field `B` is in none of the sources",
            "k.yaml:8:1: `deliver`: field `C` is in none of the sources",
        ]
    );
}
