//! The rows of `tests/vectors/sealed/gotemplate.json`: Go's results, and what is refused.
//! `tests/cluster/sealed.rs` runs Go again.

use std::collections::BTreeMap;

use super::{MOST_PARTS, Problem, Template, TemplateError};
use crate::base::material::SecretBytes;

#[derive(serde::Deserialize)]
struct Vectors {
    data: BTreeMap<String, String>,
    same: Vec<(String, String)>,
    refused: Vec<(String, String)>,
}

fn vectors() -> Vectors {
    let text = include_str!("../../../tests/vectors/sealed/gotemplate.json");
    serde_json::from_str(text).expect("the vectors are JSON")
}

fn secrets(data: &BTreeMap<String, String>) -> BTreeMap<String, SecretBytes> {
    data.iter()
        .map(|(key, value)| (key.clone(), SecretBytes::from(value.as_str())))
        .collect()
}

fn render(text: &str, data: &BTreeMap<String, SecretBytes>) -> Result<String, TemplateError> {
    let made = Template::parse(text, &mut { MOST_PARTS })?.render(data)?;
    Ok(made.expose_str().expect("UTF-8").to_owned())
}

#[test]
fn templates_render_as_go_does() {
    let Vectors { data, same, .. } = vectors();
    let data = secrets(&data);
    for (text, expected) in same {
        assert_eq!(
            render(&text, &data).as_deref(),
            Ok(expected.as_str()),
            "{text:?}"
        );
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let Vectors { data, refused, .. } = vectors();
    let data = secrets(&data);
    for (text, expected) in refused {
        let told = render(&text, &data).map_err(|error| error.to_string());
        assert_eq!(told, Err(expected), "{text:?}");
    }
}

#[test]
fn row_185_the_templates_of_a_file_share_a_number_of_parts() {
    // Each action has three parts.
    let third = "{{.a}}".repeat(MOST_PARTS / 10);
    let mut left = MOST_PARTS;
    for _ in 0..3 {
        Template::parse(&third, &mut left).expect("there is room");
    }
    let whole = Template::parse(&"{{.a}}".repeat(MOST_PARTS), &mut { MOST_PARTS });
    for refused in [Template::parse(&third, &mut left), whole] {
        assert_eq!(refused.expect_err("too many").problem, Problem::TooLong);
    }
}

#[test]
fn bytes_that_are_no_text_pass_where_go_would_change_them_elsewhere() {
    let data = BTreeMap::from([("raw".to_owned(), SecretBytes::from(&[0xff, b'a', 0x00][..]))]);
    let bytes = |text: &str| {
        Template::parse(text, &mut { MOST_PARTS }).and_then(|template| template.render(&data))
    };
    assert_eq!(
        bytes("<{{ .raw }}>").expect("bytes").expose(),
        b"<\xffa\x00>"
    );
    assert_eq!(
        bytes("{{ .raw | b64enc }}").expect("bytes").expose(),
        b"/2EA"
    );
    for function in ["quote", "upper", "toJson", "trim"] {
        let told = bytes(&format!("{{{{ .raw | {function} }}}}")).expect_err("no text");
        let why = "takes UTF-8 text, and this value is none";
        assert_eq!(told.problem, Problem::Function { function, why });
    }
}

#[test]
fn letters_without_a_single_counterpart_are_refused() {
    for text in [r#"{{ upper "\u1f80" }}"#, r#"{{ lower "\u0130" }}"#] {
        let told = render(text, &BTreeMap::new()).expect_err(text).to_string();
        assert!(
            told.ends_with("met a letter that has no single counterpart"),
            "{told}"
        );
    }
}

#[test]
fn row_185_bombs_end_soon() {
    let data = BTreeMap::from([("a".to_owned(), SecretBytes::from("x".repeat(900_000)))]);
    let nested = format!("{}{}", "{{ if true }}".repeat(33), "{{ end }}".repeat(33));
    let parens = format!("{{{{ {} .a {} }}}}", "(".repeat(40), ")".repeat(40));
    let long = format!("{{{{ $l := list {} }}}}", "1 ".repeat(1_000));
    let loops = format!(
        "{long}{}{{{{ print 1 }}}}{}",
        "{{ range $l }}".repeat(4),
        "{{ end }}".repeat(4)
    );
    let deep = "(".repeat(1_000_000);
    let many = format!(
        "{{{{ range (splitList \",\" \"{}\") }}}}",
        ",".repeat(1_000)
    );
    let hash = format!("{many}{{{{ $x := repeat 1000000 \"x\" | sha512sum }}}}{{{{ end }}}}");
    let compare = format!("{many}{{{{ if eq $.a $.a }}}}{{{{ end }}}}{{{{ end }}}}");
    let declared: String = (0..20_000)
        .map(|n| format!("{{{{ $v{n} := 1 }}}}"))
        .collect();
    let variables = format!("{declared}{}", "{{ $x := $v0 }}".repeat(20_000));
    for text in [
        "{{ .a }}{{ .a }}",
        "{{ $x := .a }}{{ $x = print $x $x }}{{ $x }}",
        "{{ .a | quote | quote | toJson | b64enc | indent 1000 }}",
        "{{ replace \"\" .a .a }}",
        "{{ replace \"x\" .a .a }}",
        "{{ html .a .a }}",
        &nested,
        &parens,
        &loops,
        &hash,
        &compare,
        &variables,
        "{{ splitList \"\" .a }}",
        "{{ $x := 1 }}{{ range splitList \"\" (repeat 45000 \"a\") }}{{ $x = list $x }}{{ end }}",
    ] {
        // The limit on time counts steps, so the test needs no clock.
        let error = render(text, &data).expect_err("a bomb");
        let bounded = matches!(error.problem, Problem::Excess(_) | Problem::TooLong);
        assert!(bounded, "{error}");
    }
    let trimmed = render("{{ trimAll (print .a \"y\") .a }}", &data);
    assert!(trimmed.expect("each letter is looked at once").is_empty());
    assert!(render(&format!("{{{{ {deep}"), &data).is_err());
}

#[test]
fn no_message_holds_a_value() {
    let canary = "CANARY-0b1d";
    let data = BTreeMap::from([("a".to_owned(), SecretBytes::from(canary))]);
    for text in [
        "{{ fail .a }}",
        "{{ b64dec .a }}",
        "{{ range .a }}{{ end }}",
        "{{ .a.b }}",
        "{{ printf .a .a }}",
        "{{ index . .a }}",
        "{{ index .a 1 }}",
        "{{ eq .a 1 }}",
        "{{ ternary 1 2 .a }}",
        "{{ .a .a }}",
    ] {
        let error = render(text, &data).expect_err(text);
        let told = format!("{error} {error:?}");
        assert!(!told.contains(canary), "{told}");
    }
}

#[test]
fn no_text_makes_a_panic() {
    let parts = [
        "{{", "}}", "{{-", "-}}", " ", "\n", "-", "|", "(", ")", ".", ".a", "$", "$x", ":=", "=",
        ",", "if", "else", "end", "range", "with", "nil", "true", "quote", "index", "printf",
        "b64dec", "trunc", "\"a%\"", "`a`", "\"", "`", "\\", "'", "/*", "*/", "1", "-9", "x", "é",
        "\u{0}", "{", "}",
    ];
    let data = BTreeMap::from([("a".to_owned(), SecretBytes::from("é%s,"))]);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut rendered = 0;
    for _ in 0..40_000 {
        let mut text = String::from("{{ ");
        loop {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            if seed.is_multiple_of(13) {
                break;
            }
            text.push_str(parts[usize::try_from(seed >> 40).expect("small") % parts.len()]);
        }
        rendered += usize::from(render(&text, &data).is_ok());
    }
    assert!(rendered > 20, "some of it means something: {rendered}");
}
