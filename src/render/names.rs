//! Which names may be variables, keys of a Secret or files, and how a name that comes from data is shown.

/// Whether every shell takes it as a variable.
pub(super) fn is_variable(name: &str) -> bool {
    let mut characters = name.bytes();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && characters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the API server takes it as a key of a Secret.
pub(super) fn is_secret_key(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && name != "."
        && !name.starts_with("..")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Whether it is one plain file name that cannot leave its folder, nor be taken for our own `..data`.
pub(super) fn is_file_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name != "."
        && !name.starts_with("..")
        && !name.contains(['/', '\0'])
}

/// A name between backticks, on one line whatever it holds, and never long.
pub(super) fn shown(name: &str) -> String {
    const LONGEST: usize = 120;
    let mut text = String::from("`");
    for (count, character) in name.chars().enumerate() {
        if count == LONGEST {
            text.push('…');
            break;
        }
        if character == '\'' || character == '"' {
            text.push(character);
        } else {
            text.extend(character.escape_debug());
        }
    }
    text.push('`');
    text
}

/// Several names, comma between, the first few of many.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MOST: usize = 20;
    let names: Vec<&str> = names.into_iter().collect();
    let mut text: Vec<String> = names.iter().take(MOST).map(|name| shown(name)).collect();
    if names.len() > MOST {
        text.push(format!("and {} more", names.len() - MOST));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        let long = "a".repeat(254);
        // name, variable, key of a Secret, file
        for (name, variable, key, file) in [
            ("PG_host", true, true, true),
            ("_", true, true, true),
            ("1A", false, true, true),
            ("tls.crt", false, true, true),
            (".dockerconfigjson", false, true, true),
            ("", false, false, false),
            (".", false, false, false),
            ("..", false, false, false),
            ("..data", false, false, false),
            ("a b", false, false, true),
            ("a/b", false, false, false),
            ("../x", false, false, false),
            ("a\0b", false, false, false),
            ("é", false, false, true),
            (long.as_str(), true, false, true),
        ] {
            assert_eq!(is_variable(name), variable, "variable {name:?}");
            assert_eq!(is_secret_key(name), key, "key {name:?}");
            assert_eq!(is_file_name(name), file, "file {name:?}");
        }
        assert!(!is_file_name(&"a".repeat(256)));
    }

    #[test]
    fn a_name_from_data_stays_on_one_line() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 123);
        assert_eq!(listed(["a", "b"]), "`a`, `b`");
    }
}
