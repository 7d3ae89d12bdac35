//! Templates: Go renders, kubeseal renders, and we say the same or refuse by name.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry::base::material::SecretBytes;
use keyferry::template::go::{MOST_PARTS, Template};
use serde_json::{Value, json};

use super::{assert_same, keyring, keys, open, recover, seal};
use crate::support::run::Run;
use crate::support::tools;

#[derive(serde::Deserialize)]
struct Vectors {
    data: BTreeMap<String, String>,
    same: Vec<(String, String)>,
    refused: Vec<(String, String)>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../vectors/sealed/gotemplate.json"))
        .expect("the vectors are JSON")
}

#[test]
fn templates_of_a_real_object_render_as_in_kubeseal() {
    let Vectors { data, same, .. } = vectors();
    let sealed = seal(
        &keys()[0],
        "strict",
        &json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "namespace": "platform"}, "stringData": data,
        }),
    );
    let made: serde_json::Map<String, Value> = same
        .iter()
        .enumerate()
        .map(|(at, (text, _))| (format!("made{at}"), json!(text)))
        .collect();
    let text = sealed.replacen(
        "  template:\n",
        &format!("  template:\n    data: {}\n", Value::Object(made)),
        1,
    );
    let theirs =
        recover(&text, &[&keys()[0].pem_file.display().to_string()]).expect("kubeseal renders");
    assert_same(
        &open(&text, &keyring(&[&keys()[0].pem])).expect("we render"),
        &theirs,
    );
}

/// What Go makes of templates: a text or a refusal.
fn rendered_by_go(
    templates: &[String],
    data: &BTreeMap<String, Vec<u8>>,
) -> Vec<Result<Vec<u8>, String>> {
    let data: BTreeMap<&String, String> = data
        .iter()
        .map(|(key, value)| (key, STANDARD.encode(value)))
        .collect();
    let asked: Vec<String> = templates
        .iter()
        .map(|text| json!({"text": text, "data": data}).to_string())
        .collect();
    let done = Run::of(tools::gotemplate())
        .stdin(asked.join("\n"))
        .run()
        .expect(0);
    let answers: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), templates.len());
    let read = |answer: &Value| match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(STANDARD
            .decode(answer["out"].as_str().unwrap_or_default())
            .expect("base64")),
    };
    answers.iter().map(read).collect()
}

fn rendered(text: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, String> {
    let secrets = data
        .iter()
        .map(|(key, value)| (key.clone(), SecretBytes::from(value.clone())))
        .collect();
    let made =
        Template::parse(text, &mut { MOST_PARTS }).and_then(|template| template.render(&secrets));
    made.map(|made| made.expose().to_vec())
        .map_err(|error| error.to_string())
}

#[test]
fn the_rows_of_the_table_are_what_go_renders() {
    let Vectors {
        data,
        same,
        refused,
    } = vectors();
    let data: BTreeMap<String, Vec<u8>> = data
        .into_iter()
        .map(|(key, value)| (key, value.into_bytes()))
        .collect();
    let (texts, expected): (Vec<String>, Vec<String>) = same.into_iter().unzip();
    for ((text, expected), theirs) in texts
        .iter()
        .zip(&expected)
        .zip(rendered_by_go(&texts, &data))
    {
        assert_eq!(theirs.as_deref(), Ok(expected.as_bytes()), "{text}");
    }
    // What we refuse, Go refuses too, or it is a thing that is not supported, or its output is no
    // value that anybody wants.
    let (texts, told): (Vec<String>, Vec<String>) = refused.into_iter().unzip();
    for ((text, told), theirs) in texts.iter().zip(&told).zip(rendered_by_go(&texts, &data)) {
        let ours_only = [
            "is not supported",
            "there is no value",
            "b64dec",
            "list",
            "all values",
            "1 MiB",
            "coalesce",
            "printf",
            "ASCII",
        ];
        assert!(
            theirs.is_err() || ours_only.iter().any(|word| told.contains(word)),
            "{text}: {theirs:?}"
        );
    }
}

/// Random templates from a grammar of all that is supported; whatever we render, Go renders alike.
#[test]
fn random_templates_render_as_in_go_or_are_refused() {
    let mut random = Random(0x5eed_1234_9abc_def1);
    let awkward = [
        "",
        "a",
        "p<>&\"'\\",
        " sp ace \n\t",
        "é€𝄞\u{2028}\u{7f}",
        "YWJj",
        "x,y,,z",
        "l1\nl2\n",
        "42",
        "-7",
        "{{ .a }}",
        "true",
    ];
    let data: BTreeMap<String, Vec<u8>> = ["a", "b", "c", "d_1"]
        .into_iter()
        .map(|name| {
            (
                name.to_owned(),
                awkward[random.below(awkward.len())].as_bytes().to_vec(),
            )
        })
        .chain([("raw".to_owned(), vec![0xff, 0x00, b'z'])])
        .collect();
    let templates: Vec<String> = (0..15_000).map(|_| random.template(3)).collect();
    let mut same = 0;
    for (text, theirs) in templates.iter().zip(rendered_by_go(&templates, &data)) {
        if let Ok(ours) = rendered(text, &data) {
            assert_eq!(Ok(ours), theirs, "{text}");
            same += 1;
        }
    }
    assert!(
        same > 2_000,
        "only {same} of {} were rendered",
        templates.len()
    );
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("small")
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn template(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(3) {
            text.push_str(self.one_of(&["", " ", "\n", "x", " = ", "\n  k: "]));
            let open = self.one_of(&["{{ ", "{{", "{{- "]);
            let close = self.one_of(&[" }}", "}}", " -}}"]);
            let inner = if depth > 0 { self.below(8) } else { 7 };
            let value = self.pipeline(depth.min(2));
            match inner {
                0 => {
                    let (yes, no) = (self.template(depth - 1), self.template(depth - 1));
                    text.push_str(&format!(
                        "{open}if {value}{close}{yes}{{{{ else }}}}{no}{{{{ end }}}}"
                    ));
                }
                1 => {
                    let body = self.template(depth - 1);
                    let over = self.one_of(&[".", "$", "splitList \",\" .c", "list .a 1 \"z\""]);
                    text.push_str(&format!(
                        "{open}range $k, $v := {over}{close}{{{{ $k }}}}{{{{ \
                        toJson $v }}}}{body}{{{{ end }}}}"
                    ));
                }
                2 => {
                    let body = self.template(depth - 1);
                    text.push_str(&format!(
                        "{open}with {value}{close}{{{{ . }}}}{body}{{{{ end }}}}"
                    ));
                }
                3 => text.push_str(&format!("{open}/* {value} */{close}")),
                4 => text.push_str(&format!("{open}$x := {value}{close}{{{{ $x }}}}")),
                _ => text.push_str(&format!("{open}{value}{close}")),
            }
        }
        text
    }

    fn pipeline(&mut self, depth: usize) -> String {
        let mut text = self.command(depth);
        for _ in 0..self.below(3) {
            let next = self.one_of(&[
                "quote",
                "squote",
                "b64enc",
                "b64dec",
                "upper",
                "lower",
                "trim",
                "toJson",
                "toRawJson",
                "toPrettyJson",
                "urlquery",
                "html",
                "indent 2",
                "nindent 4",
                "default \"d\"",
                "trunc 3",
                "trunc -2",
                "nospace",
                "toString",
                "len",
                "sha256sum",
                "splitList \",\"",
                "join \"-\"",
                "first",
                "printf \"<%s>\"",
                "printf \"%q|%v\" .a",
                "replace \"a\" \"b\"",
                "contains \"a\"",
                "eq \"a\"",
                "not",
                "print",
                "repeat 2",
                "atoi",
                "trimAll \"x \"",
                "trimPrefix \"x\"",
                "trimSuffix \"\\n\"",
                "cat \"c\"",
                "empty",
                "coalesce .b",
                "and .a",
                "or .b",
            ]);
            text.push_str(&format!("{}{next}", self.one_of(&[" | ", "|"])));
        }
        text
    }

    fn command(&mut self, depth: usize) -> String {
        let operand = |random: &mut Self| random.operand(depth);
        match self.below(9) {
            0..=3 => operand(self),
            4 => format!("printf \"%s-%v\" {} {}", operand(self), operand(self)),
            5 => format!(
                "{} {}",
                self.one_of(&[
                    "upper", "quote", "toJson", "len", "print", "println", "empty", "not", "last"
                ]),
                operand(self)
            ),
            6 => format!(
                "{} {} {}",
                self.one_of(&[
                    "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "default", "print", "cat",
                    "list", "coalesce"
                ]),
                operand(self),
                operand(self)
            ),
            7 => format!(
                "index . {}",
                self.one_of(&["\"a\"", "\"d_1\"", "`b`", "\"missing\""])
            ),
            _ => format!(
                "ternary {} {} {}",
                operand(self),
                operand(self),
                self.one_of(&["true", "false", "(eq .a .b)", "(empty .c)"])
            ),
        }
    }

    fn operand(&mut self, depth: usize) -> String {
        let parens = if depth > 0 { self.below(6) } else { 1 };
        if parens == 0 {
            return format!("({})", self.pipeline(depth - 1));
        }
        self.one_of(&[
            ".a",
            ".b",
            ".c",
            ".d_1",
            "$.a",
            ".raw",
            ".missing",
            "\"lit\\n\\x41é\"",
            "`raw \\n`",
            "1",
            "-3",
            "0",
            "true",
            "false",
            ".",
            "$",
        ])
        .to_owned()
    }
}
