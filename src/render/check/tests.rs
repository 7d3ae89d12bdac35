use super::*;
use crate::artifact::Access;
use crate::config::{FileTarget, Keys};
use crate::render::testing::{at, computed, delivery, from, picking};

fn found(delivery: Delivery) -> Vec<String> {
    let config = Config {
        vaults: Default::default(),
        keys: Keys::default(),
        sidecar: Default::default(),
        deliveries: vec![delivery],
        ..Config::default()
    };
    let failures = check_templates(&config);
    failures.into_iter().map(|failure| failure.what).collect()
}

fn template_file(text: &str) -> Target {
    Target::File(FileTarget {
        path: "out".into(),
        format: FileFormat::Template {
            text: text.to_owned(),
            name: "app.tmpl".to_owned(),
        },
        access: Access {
            mode: 0o400,
            dir_mode: 0o700,
            uid: None,
            gid: None,
            create_dirs: false,
            require_tmpfs: false,
            adopt: false,
            in_place: false,
        },
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
            "delivery `d`, field `X` (k.yaml:4:1): its template, line 1, column 8: there is no filter `nope`",
            "delivery `d` (k.yaml:9:1): app.tmpl:2:1: the template does not parse: unexpected end of input, expected end of variable block",
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
            "delivery `d`, field `X` (k.yaml:4:1): its template, line 1, column 22: `P_B` is not defined",
            "delivery `d`, field `X` (k.yaml:4:1): its template, line 1, column 53: `tls.crt` is not defined",
            "delivery `d`, field `X` (k.yaml:4:1): its template, line 1, column 76: `LATER` is not defined",
            "delivery `d` (k.yaml:9:1): app.tmpl:1:22: `NOPE` is not defined",
        ]
    );
    let mut unknown = delivery([picked(), from("kv/b", 3)]);
    unknown.fields = vec![computed("X", template, 4)];
    assert_eq!(found(unknown), [""; 0]);
}
