//! Constructs that another engine reads in another way than ours: they are found before a pattern
//! is compiled.
//!
//! Our engine itself refuses the constructs that it does not know (look-around, back references,
//! atomic groups, conditionals).

/// The syntax of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// emberstack's reflector.
    DotNet,
    /// mittwald's replicator.
    Go,
}

/// The first construct that the original's engine reads in another way.
pub(super) fn read_differently(pattern: &str, syntax: Syntax) -> Option<&'static str> {
    let bytes = pattern.as_bytes();
    let mut at = 0;
    let mut quantified = false;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let was_quantified = std::mem::take(&mut quantified);
        at += match byte {
            b'\\' => {
                if let Some(why) = escape(rest) {
                    return Some(why);
                }
                2
            }
            b'[' => match class(rest) {
                Ok(length) => length,
                Err(why) => return Some(why),
            },
            b'(' if rest.starts_with(b"(?") => {
                if let Some(why) = flags(&rest[2..], syntax) {
                    return Some(why);
                }
                1
            }
            b'*' | b'+' | b'?' | b'{' => {
                // `a+?` is lazy in all three engines; `a++` and `a**` are errors in the others and
                // groups in ours.
                if was_quantified {
                    return Some("a repetition of a repetition");
                }
                let lazy = |length: usize| length + usize::from(rest.get(length) == Some(&b'?'));
                quantified = true;
                match rest.iter().position(|&byte| byte == b'}') {
                    Some(end) if byte == b'{' => lazy(end + 1),
                    _ => lazy(1),
                }
            }
            _ => 1,
        };
    }
    None
}

/// Escapes that only one side knows, or that mean different things.
fn escape(rest: &[u8]) -> Option<&'static str> {
    match rest.get(1) {
        Some(b'<' | b'>') => Some(r"\< or \>"),
        Some(b'b') if rest.get(2) == Some(&b'{') => Some(r"\b{…}"),
        _ => None,
    }
}

/// The length of a bracketed class. Inside a class ours knows operators and nested classes; the
/// others read these as characters, or subtract with `-[…]`.
fn class(rest: &[u8]) -> Result<usize, &'static str> {
    let mut at = 1 + usize::from(rest.get(1) == Some(&b'^'));
    // A bracket in the first position is a character.
    at += usize::from(rest.get(at) == Some(&b']'));
    while let Some(&byte) = rest.get(at) {
        let two = rest.get(at..at + 2).unwrap_or_default();
        match byte {
            b']' => return Ok(at + 1),
            b'[' if rest.get(at + 1) == Some(&b':') => {
                return Err("a named class within brackets");
            }
            b'[' => return Err("a bracket within brackets"),
            _ if matches!(two, b"&&" | b"--" | b"~~") => {
                return Err("a doubled `&`, `-` or `~` within brackets");
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    // The class is not closed: our engine reports it.
    Ok(rest.len())
}

/// Letters after `(?`: only those that all engines share are allowed.
fn flags(rest: &[u8], syntax: Syntax) -> Option<&'static str> {
    let shared: &[u8] = match syntax {
        Syntax::DotNet => b"imsx-",
        Syntax::Go => b"ims-",
    };
    let end = rest
        .iter()
        .position(|byte| !(byte.is_ascii_alphabetic() || *byte == b'-'))?;
    let is_flags = end > 0 && matches!(rest.get(end), Some(b':' | b')'));
    let known = rest.iter().take(end).all(|flag| shared.contains(flag));
    (is_flags && !known).then_some("one of these flags")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_refused() {
        for (pattern, differs) in [
            ("team-[a-z0-9]+", None),
            ("(?i)team", None),
            ("(?:a|b)*", None),
            ("(?<n>a)", None),
            ("a+?b{2,3}?", None),
            (r"\[a\]", None),
            (r"[\]a]", None),
            ("[]a]", None),
            ("[^]a]", None),
            ("[a-z-[aeiou]]", Some("a bracket within brackets")),
            ("[[:alpha:]]", Some("a named class within brackets")),
            ("[a&&b]", Some("a doubled `&`, `-` or `~` within brackets")),
            ("a++", Some("a repetition of a repetition")),
            ("a**", Some("a repetition of a repetition")),
            ("a{2}{3}", Some("a repetition of a repetition")),
            ("(?U)a*", Some("one of these flags")),
            (r"a\b{start}", Some(r"\b{…}")),
            (r"\<a", Some(r"\< or \>")),
        ] {
            assert_eq!(
                read_differently(pattern, Syntax::DotNet),
                differs,
                "{pattern}"
            );
        }
        assert_eq!(
            read_differently("(?x)a", Syntax::Go),
            Some("one of these flags")
        );
    }
}
