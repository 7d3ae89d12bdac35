//! What readers find in a `.env` text, and that an edit touches nothing else.

use super::*;

fn line(name: &str, value: &str, line: &str) -> EnvLine {
    EnvLine {
        name: name.into(),
        value: value.into(),
        line: line.into(),
    }
}

#[test]
fn values_are_read_as_dotenv_readers_do() {
    for (text, value) in [
        ("A=1\n", Some("1")),
        ("A=1", Some("1")),
        ("\u{feff}A=1\n", Some("1")),
        ("export A = 1  # note\r\n", Some("1")),
        // Node ends a bare value at any `#`, so readers differ.
        ("A=a#b\n", None),
        ("A= # only a comment\n", Some("")),
        ("A=\n", Some("")),
        ("A='a # $b \\n'\n", Some("a # $b \\n")),
        ("A=\"a\\nb\"  # note\n", Some("a\nb")),
        // Every other escape is read differently.
        ("A=\"a\\n\\\"b\\\" \\$c \\x\"  # note\n", None),
        ("A='it'\\''s'\n", None),
        ("A=\"two\nlines\"\nB=2\n", Some("two\nlines")),
        ("A='never closed\nB=2\n", None),
        ("A=1\nA=2\n", Some("2")),
        ("#A=1\n # A=2\n", None),
        ("AA=1\nexportA=2\nA 3\n", None),
        ("B='\nA=inside\n'\n", None),
    ] {
        let found = value_of(text.as_bytes(), "A");
        assert_eq!(
            found.as_ref().and_then(SecretBytes::expose_str),
            value,
            "{text:?}"
        );
    }
}

#[test]
fn only_managed_keys_change() {
    for (before, after) in [
        ("", "A=new\nB=x\n"),
        ("A=new\nB=x\n", "A=new\nB=x\n"),
        ("A='new'\nB=\"x\"\n", "A='new'\nB=\"x\"\n"),
        (
            "# c\n\n A=old # why\nZ=1\nB=x",
            "# c\n\n A=new # why\nZ=1\nB=x",
        ),
        (
            "Z='it'\\''s'\nA='ol'\\''d' # c\n",
            "Z='it'\\''s'\nA=new\nB=x\n",
        ),
        ("export A=old\n", "export A=new\nB=x\n"),
        ("Z=1", "Z=1\nA=new\nB=x\n"),
        ("Z=1\r\nA=old\r\n", "Z=1\r\nA=new\r\nB=x\r\n"),
        ("A=old\nA=older\nB=x\n", "A=old\nA=new\nB=x\n"),
        ("A=\"two\nlines\" # c\nB=x\n", "A=new # c\nB=x\n"),
        ("B=\nA= # empty\n", "B=x\nA=new # empty\n"),
        ("\u{feff}A=old\nB=x\n", "\u{feff}A=new\nB=x\n"),
    ] {
        let lines = [line("A", "new", "A=new"), line("B", "x", "B=x")];
        let edited = edit(before.as_bytes(), &lines);
        assert_eq!(edited.expose_str(), Some(after), "{before:?}");
        assert_eq!(
            edit(edited.expose(), &lines),
            edited,
            "a second edit changes nothing: {before:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_edited_without_a_panic(text in proptest::collection::vec(proptest::sample::select(b"A=B'\"\\\n\r# \t$x".to_vec()), 0..60)) {
        let lines = [line("A", "new", "A=new")];
        let once = edit(&text, &lines);
        let found = value_of(once.expose(), "A");
        proptest::prop_assert!(edit(once.expose(), &lines) == once || found != Some("new".into()), "stable");
    }
}
