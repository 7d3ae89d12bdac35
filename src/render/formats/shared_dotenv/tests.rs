//! The values that readers find in a `.env` text, and that an edit changes nothing else.

use super::*;
use crate::format::LineProblem;

fn line(name: &str, value: &str, line: &str) -> EnvLine {
    EnvLine {
        name: name.into(),
        value: value.into(),
        line: line.into(),
    }
}

fn ours() -> [EnvLine; 2] {
    [line("A", "new", "A=new"), line("B", "x", "B=x")]
}

#[test]
fn a_value_is_known_where_all_readers_take_it_alike() {
    for (text, value) in [
        ("A=1\n", Some("1")),
        ("A=1", Some("1")),
        ("  export A=1  # note\r\n", Some("1")),
        ("A='a # $b \\n'\n", Some("a # $b \\n")),
        ("A=\"a b\"  # note\n", Some("a b")),
        ("A=\"two\nlines\"\nC=2\n", Some("two\nlines")),
        ("A=1\nA=2\n", Some("2")),
        ("A=\n", Some("")),
        // sh reads it as a program, or the carriage return as a part of the value.
        ("A = 1\n", None),
        ("A=1\r\n", None),
        ("A=a b\n", None),
        // node ends a bare value at any `#`, compose only after a space.
        ("A=a#b\n", None),
        ("A=a\t# b\n", None),
        ("A= # only a comment\n", None),
        ("A='x'# b\n", None),
        // node before 22 reads the tab as a part of the name.
        ("\tA=1\n", None),
        ("export\tA=1\n", None),
        // Every escape is read differently.
        ("A=\"a\\nb\"\n", None),
        ("A='it'\\''s'\n", None),
        ("A='never closed\nC=2\n", None),
    ] {
        let lines = ours();
        let file = EnvFile::read(text.as_bytes(), &lines).expect(text);
        let found = match file.find("A") {
            FoundValue::Value(found) => found.expose_str().map(str::to_owned),
            FoundValue::Nothing | FoundValue::Unclear => None,
        };
        assert_eq!(found.as_deref(), value, "{text:?}");
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
        ("A='ol'\\''d' # c\n", "A=new\nB=x\n"),
        ("export A=old\n", "export A=new\nB=x\n"),
        ("Z=1", "Z=1\nA=new\nB=x\n"),
        (
            "Z=1\r\nA=old\r\nC='1\r\n2'\r\n",
            "Z=1\r\nA=new\nC='1\r\n2'\r\nB=x\n",
        ),
        ("A=old\nA=older\nB=x\n", "A=old\nA=new\nB=x\n"),
        ("A=\"two\nlines\" # c\nB=x\n", "A=new # c\nB=x\n"),
        ("B=\nA= # empty # c\n", "B=x\nA=new # empty # c\n"),
        ("A = old\t# why # c\nB=x\n", "A=new # why # c\nB=x\n"),
        ("\texport\tA=old\nB=x\n", "export A=new\nB=x\n"),
        ("A='old\nB=x\n", "A=new\nB=x\n"),
    ] {
        let lines = ours();
        let edited = EnvFile::read(before.as_bytes(), &lines)
            .expect(before)
            .edit(&lines);
        assert_eq!(edited.expose_str(), Some(after), "{before:?}");
        let file = EnvFile::read(edited.expose(), &lines).expect(after);
        assert_eq!(
            file.find("A"),
            FoundValue::Value("new".into()),
            "{before:?}"
        );
        let again = file.edit(&lines);
        assert_eq!(again, edited, "a second edit changes nothing: {before:?}");
    }
}

#[test]
fn row_123_what_keeps_a_reader_from_our_variables_is_named() {
    let at = |line, obstacle| EditFlaw::Line { line, obstacle };
    let broken = |line, problem| at(line, Obstacle::Broken(problem));
    for (text, flaw) in [
        (&b"A=1\nZ=\xff\n"[..], EditFlaw::NotText),
        (b"\xff\xfeA\0=\0", EditFlaw::NotText),
        (b"Z=\0\n", EditFlaw::NotText),
        (b"\xef\xbb\xbfZ=1\n", EditFlaw::Mark),
        (b"Z=1\nhunter2\n", broken(2, LineProblem::NoValue)),
        (b"export Z\n", broken(1, LineProblem::NoValue)),
        (b"Z W=1\n", broken(1, LineProblem::Name)),
        (b"Z: 1=2\n", broken(1, LineProblem::Name)),
        (b"Z='it'\\''s'\n", broken(1, LineProblem::AfterQuote)),
        (b"Z='never\n", broken(1, LineProblem::Quote)),
        (b"Z='a\\'b'\n", broken(1, LineProblem::Escaped)),
        (b"A='never\nZ='1'\n", broken(1, LineProblem::AfterQuote)),
        (b"Z=1\n\t\n", at(2, Obstacle::Indent)),
        (b"Z=1\n \n", at(2, Obstacle::Indent)),
        (b"Z=1\n\n  \n\n# c\nA=1\n", at(3, Obstacle::Indent)),
        (b" \t# c\n", at(1, Obstacle::Indent)),
        (b"Z=1\n # c\n", at(2, Obstacle::Indent)),
        (b"export a.b=1\n", at(1, Obstacle::Export)),
        (b"export Z = 1\n", at(1, Obstacle::Export)),
        (b"export Z=1 2\n", at(1, Obstacle::Export)),
        (b"Z= # ${\n", at(1, Obstacle::Substitution)),
        (b"Z= \nY=1\n", at(1, Obstacle::Empty)),
        (b"Z=\t\r\n", at(1, Obstacle::Empty)),
        (b"Z=it's\n", at(1, Obstacle::Shell)),
        (b"Z=<x>\n", at(1, Obstacle::Shell)),
        (b"Z=a(b)\n", at(1, Obstacle::Shell)),
        (b"Z=a|b\n", at(1, Obstacle::Shell)),
        (b"Z=a\\\n", at(1, Obstacle::Shell)),
        (b"Z=a; ;b\n", at(1, Obstacle::Shell)),
        (b"Z=the exit\n", at(1, Obstacle::Shell)),
        (b"exit = 1\n", at(1, Obstacle::Shell)),
        (b"Z=`a`\n", at(1, Obstacle::Shell)),
        (b"Z=\"$(a)\"\n", at(1, Obstacle::Shell)),
        (b"Z='x'#y\n", at(1, Obstacle::Shell)),
        (b"Z=${Y\n", at(1, Obstacle::Substitution)),
        (b"Z=\"${1}\"\n", at(1, Obstacle::Substitution)),
        (b"Z=\"a\\\"\nb\"\n", at(1, Obstacle::Escape)),
        (b"Z='a\\\\'\n", at(1, Obstacle::Escape)),
        (b"# c\rA=1\n", at(1, Obstacle::Return)),
        (b"Z=a;A=1\n", at(1, Obstacle::Ours)),
        (b"Z=a A+=1\n", at(1, Obstacle::Ours)),
    ] {
        let found = EnvFile::read(text, &ours()).err();
        assert_eq!(found, Some(flaw), "{}", text.escape_ascii());
    }
    for text in [
        "# it's \"\nZ=1 # it's\n\n   \n# c = d\n",
        "Z=$HOME/bin:${PATH:-/bin}$$ $1\nY=\"${HOME}\\\"\\n\"\n",
        "Z=https://h/?a=1&b=2\nY=Server=x;Database=y;User Id=z\n",
        "Z = 1\n\tZ=2\nexport\tY=3\nX=\r\nW='1\n2' # it's\n",
        "  \nZ=1\n  \nY=2\n",
        "Z=a\t# it's\nY=#x\nX= # it's\n1Z=a\na.b-c=d\n",
    ] {
        assert_eq!(
            EnvFile::read(text.as_bytes(), &ours()).err(),
            None,
            "{text:?}"
        );
    }
}

#[test]
fn row_124_a_file_is_taken_apart_once_however_many_variables_are_ours() {
    let names: Vec<String> = (0..10_000).map(|number| format!("V{number}")).collect();
    let lines: Vec<EnvLine> = names
        .iter()
        .map(|name| line(name, "new", &format!("{name}=new")))
        .collect();
    let text: String = names.iter().map(|name| format!("{name}=old\n")).collect();
    let before = statement_count();
    let file = EnvFile::read(text.as_bytes(), &lines).expect("good");
    assert!(
        lines
            .iter()
            .all(|line| file.find(&line.name) == FoundValue::Value("old".into()))
    );
    let edited = file.edit(&lines);
    assert_eq!(
        statement_count() - before,
        10_000,
        "each line is taken apart once"
    );
    assert_eq!(edited.expose_str(), Some(&*text.replace("old", "new")));
}

fn statement_count() -> usize {
    crate::format::dotenv::statement::TAKEN_APART.get()
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_edited_without_a_panic(text in proptest::collection::vec(proptest::sample::select(b"A=B'\"\\\n\r# \t$x{}`".to_vec()), 0..60)) {
        let lines = [line("A", "new", "A=new")];
        if let Ok(file) = EnvFile::read(&text, &lines) {
            let once = file.edit(&lines);
            let again = EnvFile::read(once.expose(), &lines);
            let again = again.map_err(|flaw| proptest::test_runner::TestCaseError::fail(flaw.to_string()))?;
            proptest::prop_assert_eq!(again.find("A"), FoundValue::Value("new".into()));
            proptest::prop_assert_eq!(again.edit(&lines), once, "stable");
        }
    }
}
