//! Patterns of names in the configuration: `*` is any text, `?` any character. And the ceilings
//! that are made of these patterns.

/// One name, or many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Parses a pattern; nothing if no namespace could have such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-*?".contains(&byte);
        let good = (1..=253).contains(&text.len()) && text.bytes().all(plain);
        good.then(|| Self(text.to_owned()))
    }

    /// Parses a pattern for keys of labels and annotations, which may contain more characters.
    pub fn parse_key(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./*?".contains(&byte);
        let good = (1..=317).contains(&text.len()) && text.bytes().all(plain);
        good.then(|| Self(text.to_owned()))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern matches a name.
    pub fn covers(&self, name: &str) -> bool {
        matches(&self.0, name, Some(b'?'))
    }
}

/// Whether the pattern matches the whole name. `*` is any text; `single`, if there is one, is any
/// one byte.
pub fn matches(pattern: &str, name: &str, single: Option<u8>) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut from) = (0, 0);
    // The last star and the end of the text that it matched. Going back to one star is enough, so
    // the time is at most pattern × name.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if Some(*byte) == single || *byte == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((place, eaten)) => {
                    star = Some((place, eaten + 1));
                    (at, from) = (place + 1, eaten + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The namespaces that count, whatever the annotations say. Namespaces outside are not read, so
/// nothing in them is deleted either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// Namespaces that count.
    pub namespaces: Vec<Glob>,
    /// Namespaces that are taken out of these.
    pub exclude: Vec<Glob>,
}

impl Ceiling {
    /// Whether a namespace counts.
    pub fn covers(&self, namespace: &str) -> bool {
        let any = |globs: &[Glob]| globs.iter().any(|glob| glob.covers(namespace));
        any(&self.namespaces) && !any(&self.exclude)
    }
}

#[cfg(test)]
mod tests {
    use super::{Glob, matches};

    #[test]
    fn a_glob_covers_whole_names() {
        for (glob, name, covered) in [
            ("*", "anything", true),
            ("*", "", true),
            ("kube-*", "kube-system", true),
            ("kube-*", "my-kube-system", false),
            ("team-?", "team-1", true),
            ("team-?", "team-12", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*-prod", "x-prod-prod", true),
            ("prod", "prod", true),
            ("prod", "prodx", false),
        ] {
            let glob = Glob::parse(glob).expect("a glob");
            assert_eq!(glob.covers(name), covered, "{glob:?} {name}");
        }
    }

    /// For file names, in which a question mark is an ordinary character.
    #[test]
    fn without_a_sign_for_one_only_the_star_stands_for_others() {
        for (pattern, name, fits) in [
            ("*.enc.yaml", "a.enc.yaml", true),
            ("*.enc.yaml", "a.yaml", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("x", "xy", false),
            ("?*", "ab", false),
            ("?*", "?b", true),
        ] {
            assert_eq!(matches(pattern, name, None), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn what_no_namespace_could_be_called_is_no_glob() {
        for text in ["", "Team", "a.b", "a b", "[a-z]", "team_1"] {
            assert_eq!(Glob::parse(text), None, "{text:?}");
        }
    }
}
