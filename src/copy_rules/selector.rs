//! Label selectors as `kubectl -l` takes them: `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`,
//! `a`, `!a`; a comma is "and".

use std::collections::BTreeMap;
use std::fmt;

use super::pattern::budget::Cost;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// A selector: all of its requirements must be met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// Also met by an object without the label.
    NotIn(Vec<String>),
}

impl Selector {
    /// The largest cost of parsing a text: its bytes, and one entry for each comma-separated part.
    pub fn cost(text: &str) -> Cost {
        let entries = 1 + text.bytes().filter(|byte| *byte == b',').count();
        Cost {
            bytes: text.len() + entries * size_of::<Requirement>(),
            states: 0,
        }
    }

    /// Parses a selector; a text without any requirement is an error.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let error = |why| SelectorError {
            selector: text.into(),
            why,
        };
        let parts = split(text).ok_or_else(|| error("its parentheses do not match"))?;
        let requirements = parts.into_iter().map(requirement);
        let requirements: Vec<Requirement> =
            requirements.collect::<Result<_, _>>().map_err(error)?;
        Ok(Self { requirements })
    }

    /// Whether an object with these labels is selected.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|Requirement { key, test }| {
            let value = labels.get(key);
            match test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            }
        })
    }
}

/// Splits the text at commas that are not within parentheses.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        match character {
            '(' if inside => return None,
            ')' if !inside => return None,
            '(' | ')' => inside = !inside,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!inside).then_some(parts)
}

fn requirement(text: &str) -> Result<Requirement, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a requirement is empty");
    }
    if let Some(list) = text.strip_suffix(')') {
        return set(list);
    }
    let equality = |operator: &str| text.split_once(operator);
    let (name, test) = if let Some((name, wrong)) = equality("!=") {
        (name, Test::NotIn(vec![value(wrong)?]))
    } else if let Some((name, right)) = equality("==").or_else(|| equality("=")) {
        (name, Test::In(vec![value(right)?]))
    } else if let Some(name) = text.strip_prefix('!') {
        (name, Test::Absent)
    } else {
        (text, Test::Exists)
    };
    Ok(Requirement {
        key: key(name)?,
        test,
    })
}

/// Parses `a in (b, c` and `a notin (b`.
fn set(text: &str) -> Result<Requirement, &'static str> {
    let (head, list) = text.split_once('(').ok_or("its parentheses do not match")?;
    let values = list.split(',').map(value).collect::<Result<_, _>>()?;
    let mut words = head.split_whitespace();
    let name = key(words.next().unwrap_or_default())?;
    let test = match (words.next(), words.next()) {
        (Some("in"), None) => Test::In(values),
        (Some("notin"), None) => Test::NotIn(values),
        _ => return Err("before parentheses stands `in` or `notin`"),
    };
    Ok(Requirement { key: name, test })
}

fn key(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if name.is_empty() || text.len() > 317 || !text.bytes().all(plain) {
        return Err("this is no label's name");
    }
    Ok(text.to_owned())
}

fn value(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.len() > 63 || !text.bytes().all(plain) {
        return Err("this is no label's value");
    }
    Ok(text.to_owned())
}

/// Why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    selector: String,
    why: &'static str,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "selector {:?}: {}", self.selector, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn a_selector_selects_as_kubectl_would() {
        for (selector, of, selected) in [
            ("env=prod", "env=prod", true),
            ("env==prod", "env=prod", true),
            ("env=prod", "env=dev", false),
            ("env=prod", "", false),
            ("env=", "env=", true),
            ("env!=prod", "env=dev", true),
            ("env!=prod", "", true),
            ("env!=prod", "env=prod", false),
            ("env in (prod, dev)", "env=dev", true),
            ("env in (prod, dev)", "", false),
            ("env notin (prod,dev)", "", true),
            ("env notin (prod,dev)", "env=dev", false),
            ("env", "env=x", true),
            ("env", "", false),
            ("!env", "", true),
            ("! env", "env=x", false),
            ("env=prod,tier in (a,b),!x", "env=prod,tier=b", true),
            ("env=prod,tier in (a,b),!x", "env=prod,tier=b,x=1", false),
            ("example.com/env = prod", "example.com/env=prod", true),
        ] {
            let parsed = Selector::parse(selector).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(parsed.selects(&labels(of)), selected, "{selector} {of}");
        }
    }

    #[test]
    fn what_is_no_selector_says_why() {
        for (selector, why) in [
            ("env in (", "parentheses"),
            ("env in )", "parentheses"),
            ("env in (a))", "parentheses"),
            ("env of (a)", "`in` or `notin`"),
            ("env=a b", "no label's value"),
            ("en v", "no label's name"),
            ("a,,b", "empty"),
            ("", "empty"),
            ("=x", "no label's name"),
            ("!", "no label's name"),
            ("a>1", "no label's name"),
        ] {
            let error = Selector::parse(selector).expect_err(selector);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
