//! Names that are allowed for variables or files.

/// Whether every shell accepts the name for a variable.
pub(super) fn is_variable(name: &str) -> bool {
    let mut characters = name.bytes();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && characters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the name is one plain file name: it cannot leave its folder, and is not our own
/// `..data`.
pub(super) fn is_file_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name != "."
        && !name.starts_with("..")
        && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        let long = "a".repeat(254);
        // name, variable, file
        for (name, variable, file) in [
            ("PG_host", true, true),
            ("_", true, true),
            ("1A", false, true),
            ("tls.crt", false, true),
            (".dockerconfigjson", false, true),
            ("", false, false),
            (".", false, false),
            ("..", false, false),
            ("..data", false, false),
            ("a b", false, true),
            ("a/b", false, false),
            ("../x", false, false),
            ("a\0b", false, false),
            ("é", false, true),
            (long.as_str(), true, true),
        ] {
            assert_eq!(is_variable(name), variable, "variable {name:?}");
            assert_eq!(is_file_name(name), file, "file {name:?}");
        }
        assert!(!is_file_name(&"a".repeat(256)));
    }
}
