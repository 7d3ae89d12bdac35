//! `.env` files of others, edited and then read by those who will read them; and read by us as
//! compose reads them.

use std::collections::BTreeMap;
use std::path::Path;

use keyferry::base::artifact::EnvLine;
use keyferry::base::material::{Node, SecretBytes};
use keyferry::format::document::{self, DocumentFormat};
use keyferry::render::formats::shared_dotenv::EnvFile;
use proptest::prelude::*;

use super::readers::{Read, by_node, by_python, by_shell, node, shells, tried_by_go};

fn lines() -> Vec<EnvLine> {
    let line = |name: &str, line: &str| EnvLine {
        name: name.into(),
        value: "it is new".into(),
        line: line.into(),
    };
    vec![line("X0", "X0='it is new'"), line("X1", "X1='it is new'")]
}

/// Every reader finds both variables in the edited file, or it is not edited. Says whether it was.
fn check(file: &Path, text: &str) -> bool {
    let Ok(read) = EnvFile::read(text.as_bytes(), &lines()) else {
        return false;
    };
    let edited = read.edit(&lines());
    std::fs::write(file, edited.expose()).expect("written");
    let shown = edited.expose_str().expect("text").to_owned();
    let found = |reader: &str, read: Read| {
        for name in ["X0", "X1"] {
            let value = read.get(name).map(String::as_str);
            assert_eq!(value, Some("it is new"), "{reader}: {name} in {shown:?}");
        }
    };
    for shell in shells() {
        found(shell[0], quietly_by_shell(&shell, file));
    }
    found("node", by_node(node(), file));
    let compose = tried_by_go("dotenv", file).unwrap_or_else(|why| panic!("{why} in {shown:?}"));
    found("compose", serde_json::from_value(compose).expect("text"));
    found("python", by_python(file));
    true
}

/// What lines of others make a shell say is not ours to judge.
fn quietly_by_shell(shell: &[&str], file: &Path) -> Read {
    let quiet = file.with_extension("quiet");
    let script = format!("exec 2>/dev/null; cd /; . {}\n", file.display());
    std::fs::write(&quiet, script).expect("written");
    by_shell(shell, &quiet, 2)
}

#[test]
fn row_123_every_reader_finds_our_variables_or_the_edit_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.env");
    for (text, edited) in [
        ("", true),
        ("\u{feff}Z=1\nX0=old\n", false),
        ("\u{feff}X0=old\n", false),
        ("hunter2\nX0=old\n", false),
        ("export Z\n", false),
        ("X0=old\nhunter 2", false),
        ("\tX0=old\n", true),
        ("export\tX0=old\n", true),
        ("\t\nX0=old\n", false),
        ("Z=\t\nX0=old\n", false),
        ("Z= \nX0=old\n", false),
        ("Z= export $HOME\\n\nX0=old\n", false),
        ("X0=old\nZ= X0=1\n", false),
        ("Z= a\nX0=old\n", true),
        ("X0 = old\nZ = 1\nX1= \n", true),
        ("Z=\"a\\nb\"\nX0=old\n", true),
        ("X0=\"old\\n\"\n", true),
        ("Z=\"a\\\"\nb\"\nX0=old\n", false),
        ("X0=old\t# why\nX1 = old # why\r\n", true),
        ("Z=1\r\nX0='it is new'\r\nY='1\r\n2'\r\n", true),
        ("Z='a b' # it's\n# it's \"\n# c = d\nX0=old", true),
        (
            "Z=a\t# it's\nY=#x\nW= # it's\n1Z=a\na.b-c=d\nX0=old\n",
            true,
        ),
        (
            "Z=$HOME/bin:${PATH:-/bin}$$ $1\nY=\"${HOME}\\\"\\n\"\nX0=old\n",
            true,
        ),
        (
            "Z=https://h/?a=1&b=2\nY=Server=x;Database=y;User Id=z\nX0=old\n",
            true,
        ),
    ] {
        assert_eq!(check(&file, text), edited, "{text:?}");
    }
}

/// Pieces that a `.env` file may be made of, good and bad.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "Z=",
        "Y =",
        "\tW=",
        "export ",
        "export\t",
        "X0=",
        "X1 = ",
        "'",
        "\"",
        "a",
        "b c",
        "\\",
        "\\n",
        "\\\"",
        "$HOME",
        "${HOME}",
        "${",
        "$",
        "#",
        " #",
        "\t#",
        " ",
        "\t",
        "\r\n",
        "\n",
        "\n",
        "\n",
        "\n# it's\n",
        "`",
        "(",
        "&",
        ";",
        "|",
        "é",
        "\u{a0}",
        "\u{85}",
        "'a b'",
        "\"a b\"",
        "Z=1\n",
        "Y='2' # c\n",
        ":",
        "=",
    ]);
    proptest::collection::vec(pieces, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn row_123_no_edit_leaves_a_reader_without_our_variables(texts in proptest::collection::vec(pieces(), 4)) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.env");
        for text in texts {
            check(&file, &text);
        }
    }

    #[test]
    fn row_125_what_we_read_is_what_compose_reads(texts in proptest::collection::vec(pieces(), 24)) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.env");
        for text in texts {
            compare(&file, &text);
        }
    }
}

/// We read what compose reads, or refuse.
fn compare(file: &Path, text: &str) {
    let read = document::parse(SecretBytes::from(text), DocumentFormat::Dotenv);
    let Ok(Some(Node::Map(entries))) = read.map(|mut documents| documents.pop()) else {
        return;
    };
    let value = |node: &Node| node.leaf()?.expose_str().map(str::to_owned);
    let ours: BTreeMap<String, String> = entries
        .iter()
        .filter_map(|(name, node)| Some((name.clone(), value(node)?)))
        .collect();
    std::fs::write(file, text).expect("written");
    let compose = tried_by_go("dotenv", file).unwrap_or_else(|why| panic!("{why} in {text:?}"));
    let compose: Read = serde_json::from_value(compose).expect("text");
    assert_eq!(ours, compose, "{text:?}");
}

#[test]
fn row_125_values_that_were_read_otherwise_are_read_as_compose_does_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.env");
    for (text, value) in [
        ("A=x\\$y\n", None),
        ("A=pa\\$\n", Some("pa\\$")),
        ("A=#y\n", Some("#y")),
        ("A= #y\n", None),
        ("A=b\t#c\n", Some("b\t#c")),
        ("A=\"\\a\\b\\f\\v\\c\"\n", Some("\x07\x08\x0c\x0b\\c")),
        ("A=\"\\0123\"\n", None),
        ("A='value\\'\n", None),
        ("A='value\\'\nB='x'\n", None),
        ("\tA=1\n", Some("1")),
        ("Z='1'\tA=1\n", None),
        ("A=${B}\n", None),
        ("A='${B}'\n", Some("${B}")),
    ] {
        compare(&file, text);
        let read = document::parse(SecretBytes::from(text), DocumentFormat::Dotenv);
        let found = read.ok().and_then(|mut documents| documents.pop());
        let found = found.and_then(|node| match node {
            Node::Map(entries) => entries[0].1.leaf()?.expose_str().map(str::to_owned),
            _ => None,
        });
        assert_eq!(found.as_deref(), value, "{text:?}");
    }
}
