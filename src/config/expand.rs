//! `${NAME}` from the environment, for addresses and names, never for secrets.

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// The variable is not set.
    #[error("environment variable `{0}` is not set")]
    Unset(String),
    /// The variable's name says that it holds a secret.
    #[error(
        "environment variable `{0}` looks like a secret, and secrets are never taken from the \
         environment"
    )]
    Secret(String),
    /// `${` without `}` or a name that is no name.
    #[error("`${{` needs a name and a closing `}}`")]
    Malformed,
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`.
pub fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let (inner, after) = from[2..].split_once('}').ok_or(ExpandError::Malformed)?;
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        out.push_str(&variable(name, default, env)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn variable(
    name: &str,
    default: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ExpandError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) {
        return Err(ExpandError::Malformed);
    }
    if holds_secret(name) {
        return Err(ExpandError::Secret(name.to_owned()));
    }
    match (env(name).filter(|value| !value.is_empty()), default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Unset(name.to_owned())),
    }
}

/// Whether a variable's name says that it holds a secret.
pub fn holds_secret(name: &str) -> bool {
    const ENDINGS: [&str; 8] = [
        "PASSWORD",
        "PASSWD",
        "TOKEN",
        "SECRET",
        "SECRET_KEY",
        "PRIVATE_KEY",
        "API_KEY",
        "AGE_KEY",
    ];
    ENDINGS
        .iter()
        .any(|ending| name.to_ascii_uppercase().ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_expanded_or_say_why_not() {
        let env = |name: &str| match name {
            "HOST" => Some("db.local".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases: [(&str, Result<&str, ExpandError>); 10] = [
            ("plain $HOST", Ok("plain $HOST")),
            ("https://${HOST}:8200", Ok("https://db.local:8200")),
            ("${NONE:-dev}/${HOST}", Ok("dev/db.local")),
            ("${EMPTY:-x}", Ok("x")),
            ("$${HOST}", Ok("${HOST}")),
            ("${NONE}", Err(ExpandError::Unset("NONE".into()))),
            (
                "${VAULT_TOKEN}",
                Err(ExpandError::Secret("VAULT_TOKEN".into())),
            ),
            (
                "${DB_PASSWORD:-x}",
                Err(ExpandError::Secret("DB_PASSWORD".into())),
            ),
            ("${HOST", Err(ExpandError::Malformed)),
            ("${a b}", Err(ExpandError::Malformed)),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, &env), expected.map(str::to_owned), "{text}");
        }
    }
}
