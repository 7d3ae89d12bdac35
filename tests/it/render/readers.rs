//! What we write, read by those who will read it: real shells, docker compose's own library, node,
//! and readers of YAML and JSON. A value is refused, or all of them have the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use keyferry::base::artifact::{Artifact, FileBody};
use keyferry::base::material::{Material, Node, SecretBytes};
use keyferry::config::FileFormat;
use keyferry::render::fetched::Fetched;
use proptest::prelude::*;

use super::build::{config, delivery, desired_of, file, vault};
use crate::support::tools;

pub(super) type Read = BTreeMap<String, String>;

fn rendered(fields: &[(String, Node)], format: FileFormat) -> Option<SecretBytes> {
    let tree = fields
        .iter()
        .map(|(name, node)| (name.clone(), node.duplicate()))
        .collect();
    let source = vault("kv/a");
    let fetched = Fetched::from_parts([(
        source.source.clone(),
        Ok(Material::unversioned(Node::Map(tree))),
    )]);
    let mut one = delivery("d", [source]);
    one.allow_empty = true;
    one.to = vec![file("x", format)];
    match desired_of(&config([one]), &fetched)
        .remove(0)
        .ok()?
        .remove(0)
    {
        Artifact::File(file) => match Arc::into_inner(file)?.body {
            FileBody::Whole(bytes) => Some(bytes),
            FileBody::Lines(_) => None,
        },
        Artifact::FileSet(_)
        | Artifact::Secret(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => None,
    }
}

fn dotenv_line(value: &str) -> Option<String> {
    let fields = [("X".to_owned(), Node::text(value))];
    let bytes = rendered(&fields, FileFormat::Dotenv { edit: false })?;
    let text = bytes.expose_str().expect("text");
    Some(text.strip_suffix('\n').expect("a line").to_owned())
}

/// The variables X0, X1, … of a file, as a shell has them after `. ./file`.
pub(super) fn by_shell(shell: &[&str], file: &Path, count: usize) -> Read {
    let names = (0..count)
        .map(|index| format!("\"$X{index}\""))
        .collect::<Vec<_>>();
    let script = format!(". {}; printf '%s\\0' {}", file.display(), names.join(" "));
    let (program, arguments) = shell.split_first().expect("a shell");
    let output = Command::new(program)
        .args(arguments)
        .arg("-c")
        .arg(script)
        .output()
        .expect("a shell");
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let values = text.split('\0').take(count).enumerate();
    values
        .map(|(index, value)| (format!("X{index}"), value.to_owned()))
        .collect()
}

pub(super) fn by_node(node: &Path, file: &Path) -> Read {
    let output = Command::new(node)
        .env_clear()
        .arg(format!("--env-file={}", file.display()))
        .args(["-e", "process.stdout.write(JSON.stringify(process.env))"])
        .output()
        .expect("node");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Every variable that python-dotenv finds.
pub(super) fn by_python(file: &Path) -> Read {
    let script = "import dotenv, json, sys; print(json.dumps(dotenv.dotenv_values(sys.argv[1])))";
    let output = Command::new("python3")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .env("PYTHONPATH", tools::python_dotenv())
        .args(["-c", script])
        .arg(file)
        .output()
        .expect("python3");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read: BTreeMap<String, Option<String>> =
        serde_json::from_slice(&output.stdout).expect("JSON");
    let set = read.into_iter();
    set.filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// Whether python-dotenv takes a value as it is written for another, whatever its quotes: it fills
/// in `${NAME}` everywhere, and takes `\\\\` in quotes for one backslash. The table in
/// `docs/dotenv.md` says so.
fn is_lost_on_python(value: &str) -> bool {
    let braced = value
        .split_once("${")
        .is_some_and(|(_, rest)| rest.contains('}'));
    braced || value.contains("\\\\")
}

pub(super) fn by_go(format: &str, file: &Path) -> serde_json::Value {
    tried_by_go(format, file).unwrap_or_else(|why| panic!("{why}"))
}

/// The same, or what the reader says is wrong with the file.
pub(super) fn tried_by_go(format: &str, file: &Path) -> Result<serde_json::Value, String> {
    static READER: OnceLock<PathBuf> = OnceLock::new();
    let reader = READER.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = root.join("target/stack/dotenv-reader");
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(root.join("tests/stack/dotenv"))
            .status();
        assert!(
            built.expect("go is installed").success(),
            "the reader is built"
        );
        program
    });
    let output = Command::new(reader)
        .arg(format)
        .arg(file)
        .output()
        .expect("the reader");
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).expect("JSON")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// `sh`, and whichever other shells are here: what is delivered may be read by any.
pub(super) fn shells() -> Vec<Vec<&'static str>> {
    let mut shells = vec![vec!["sh"]];
    for (program, shell) in [
        ("bash", vec!["bash"]),
        ("dash", vec!["dash"]),
        ("busybox", vec!["busybox", "sh"]),
    ] {
        if on_path(program).is_some() {
            shells.push(shell);
        }
    }
    shells
}

/// node as it is installed here, or our own where there is none or one that knows no `--env-file`.
pub(super) fn node() -> &'static Path {
    static NODE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let installed = NODE.get_or_init(|| {
        let node = on_path("node")?;
        let asked = Command::new(&node)
            .args(["--env-file=/dev/null", "-e", ""])
            .output();
        asked
            .is_ok_and(|asked| asked.status.success())
            .then_some(node)
    });
    installed.as_deref().unwrap_or_else(|| tools::node())
}

/// Writes all values that are not refused into one file and asks every reader for all of them.
fn check_readers(values: &[String]) {
    let fields: Vec<(String, Node)> = values
        .iter()
        .filter(|value| dotenv_line(value).is_some())
        .enumerate()
        .map(|(index, value)| (format!("X{index}"), Node::text(value.as_str())))
        .collect();
    if fields.is_empty() {
        return;
    }
    let expected: Read = fields
        .iter()
        .map(|(name, node)| {
            (
                name.clone(),
                node.leaf()
                    .expect("text")
                    .expose_str()
                    .expect("text")
                    .to_owned(),
            )
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.env");
    let body = rendered(&fields, FileFormat::Dotenv { edit: false }).expect("rendered");
    std::fs::write(&file, body.expose()).expect("written");
    for shell in shells() {
        assert_eq!(by_shell(&shell, &file, fields.len()), expected, "{shell:?}");
    }
    let compose: Read = serde_json::from_value(by_go("dotenv", &file)).expect("text");
    assert_eq!(compose, expected, "docker compose");
    let mut read = by_node(node(), &file);
    read.retain(|name, _| expected.contains_key(name));
    assert_eq!(read, expected, "node");
    let mut read = by_python(&file);
    let kept = |_: &String, value: &mut String| !is_lost_on_python(value);
    let mut expected = expected;
    read.retain(|name, _| {
        expected
            .get(name)
            .is_some_and(|value| !is_lost_on_python(value))
    });
    expected.retain(kept);
    assert_eq!(read, expected, "python-dotenv");
}

#[derive(serde::Deserialize)]
struct Vectors {
    read_back_equal_by_node: Vec<String>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    value: String,
    line: Option<String>,
}

#[test]
fn lines_are_those_that_node_was_seen_to_read() {
    let vectors = include_str!("../../vectors/dotenv/node.json");
    let vectors: Vectors = serde_json::from_str(vectors).expect("JSON");
    assert!(vectors.read_back_equal_by_node.len() >= 4);
    for Case { value, line } in &vectors.cases {
        assert_eq!(&dotenv_line(value), line, "{value:?}");
    }
    let values: Vec<String> = vectors.cases.into_iter().map(|case| case.value).collect();
    check_readers(&values);
}

pub(super) fn awkward_text() -> impl Strategy<Value = String> {
    let signs = proptest::sample::select(vec![
        "'", "\"", "\\", "$", "`", "#", " #", " ", "\t", "\n", "=", "${A}", "$X0", "\\n", "!", "~",
        "a", "7", "é", "\u{a0}", "\u{2028}", "\u{feff}", "\u{85}", "𝄞", "\u{1}", "\u{7f}", "{",
        "}", "[", "]", "*", ";", "&", "-", ":",
    ]);
    prop_oneof![
        proptest::collection::vec(signs, 0..8).prop_map(|parts| parts.concat()),
        any::<String>(),
        "[ -~]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn row_126_a_value_is_refused_or_all_readers_agree(values in proptest::collection::vec(awkward_text(), 80)) {
        check_readers(&values);
    }

    #[test]
    fn documents_are_read_back_equal(tree in tree()) {
        let fields = [("first".to_owned(), tree.0), ("no".to_owned(), Node::text("last"))];
        let expected = serde_json::json!({ "first": tree.1, "no": "last" });
        let json = rendered(&fields, FileFormat::Json { as_strings: false }).expect("rendered");
        let read: serde_json::Value = serde_json::from_slice(json.expose()).expect("JSON");
        prop_assert_eq!(&read, &expected);
        let yaml = rendered(&fields, FileFormat::Yaml).expect("rendered");
        let text = yaml.expose_str().expect("text");
        let read: serde_json::Value = serde_saphyr::from_str(text).expect("YAML");
        prop_assert_eq!(&read, &expected);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.yaml");
        std::fs::write(&file, text).expect("written");
        prop_assert_eq!(by_go("yaml", &file), expected);
    }
}

/// A document, and the same as serde_json has it.
#[derive(Debug)]
struct Both(Node, serde_json::Value);

impl Clone for Both {
    fn clone(&self) -> Self {
        Self(self.0.duplicate(), self.1.clone())
    }
}

fn tree() -> impl Strategy<Value = Both> {
    let leaf = prop_oneof![
        Just(Both(Node::Null, serde_json::Value::Null)),
        any::<bool>().prop_map(|value| Both(Node::Bool(value), value.into())),
        any::<i32>().prop_map(|value| Both(Node::Number(value.to_string().into()), value.into())),
        awkward_text().prop_map(|value| Both(Node::text(value.as_str()), value.into())),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = prop_oneof![awkward_text(), "[a-z]{1,4}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(|items| {
                let (nodes, values): (Vec<_>, Vec<_>) =
                    items.into_iter().map(|both| (both.0, both.1)).unzip();
                Both(Node::List(nodes), values.into())
            }),
            proptest::collection::btree_map(name, inner, 0..5).prop_map(|entries| {
                let nodes = entries
                    .iter()
                    .map(|(key, both)| (key.clone(), both.0.duplicate()))
                    .collect();
                let values: serde_json::Map<_, _> = entries
                    .into_iter()
                    .map(|(key, both)| (key, both.1))
                    .collect();
                Both(Node::Map(nodes), values.into())
            }),
        ]
    })
}
