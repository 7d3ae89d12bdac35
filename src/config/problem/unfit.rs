//! Errors for keys and values that do not fit, with hints at what was probably meant.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::flaw::{Flaw, Kind, Shape};
use super::nearest;

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Flaw {}

impl de::Error for Flaw {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self {
            at: None,
            what: what.to_string(),
            hint: String::new(),
            kind: Kind::Other,
        }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self {
            kind: Kind::Shape(Shape::Other),
            ..Self::custom(format_args!("{expected} is expected here"))
        }
    }

    fn invalid_value(what: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(what, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self {
            at: None,
            what: format!("unknown key `{}`", field.escape_debug()),
            kind: Kind::Key(nearest(field, known.iter().copied())),
            hint: instead(field, known),
        }
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self {
            at: None,
            what: format!("unknown word `{}`", word.escape_debug()),
            hint: instead(word, known),
            kind: Kind::Word(nearest(word, known.iter().copied())),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            at: None,
            what: format!("`{field}` is missing here"),
            hint: format!("add `{field}: …`"),
            kind: Kind::Missing(field),
        }
    }
}

/// Keys that belong elsewhere: the key, another key that is known where it was wrongly written, and
/// the right place.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "serviceAccounts",
        "registries",
        "beside `secret:`, not in it",
    ),
    ("reflect", "registries", "beside `secret:`, not in it"),
    ("type", "serviceAccounts", "in `secret:`"),
    ("namespace", "serviceAccounts", "in `secret:`"),
    ("labels", "serviceAccounts", "in `secret:`"),
    ("path", "serviceAccounts", "in `file:`"),
    ("format", "serviceAccounts", "in `file:`"),
    ("edit", "serviceAccounts", "in `file:`"),
    ("mode", "serviceAccounts", "in `file:` or `files:`"),
    ("vault", "from", "in `from:`"),
    ("sops", "from", "in `from:`"),
    ("sealed", "from", "in `from:`"),
    ("age", "from", "in `from:`"),
    ("pick", "from", "in `from:`"),
    ("rename", "from", "in `from:`"),
    ("prefix", "from", "in `from:`"),
    ("file", "from", "in `to:`"),
    ("files", "from", "in `to:`"),
    ("secret", "from", "in `to:`"),
    ("signal", "onChange", "in `onChange:`"),
    ("restart", "onChange", "in `onChange:`"),
    ("webhook", "onChange", "in `onChange:`"),
    ("role", "appRole", "in `kubernetes:` or `jwt:`"),
    ("token", "auth", "in `auth:`"),
    ("kubernetes", "auth", "in `auth:`"),
    ("appRole", "auth", "in `auth:`"),
    ("address", "deliveries", "in `vault:`"),
    ("auth", "deliveries", "in `vault:`"),
    ("age", "deliveries", "in `keys:`"),
    ("sealed", "deliveries", "in `keys:`"),
    ("refresh", "deliveries", "in `sidecar:`"),
    ("otlp", "deliveries", "in `sidecar:`"),
    ("from", "deliveries", "in an entry of `deliveries:`"),
    ("to", "deliveries", "in an entry of `deliveries:`"),
];

/// Names that other programs and people use for our keys.
const OUR_WORDS: &[(&str, &str)] = &[
    ("owner", "uid"),
    ("user", "uid"),
    ("group", "gid"),
    ("permissions", "mode"),
    ("perms", "mode"),
    ("chmod", "mode"),
    ("type", "format"),
    ("kind", "type"),
    ("destination", "path"),
    ("dest", "path"),
    ("filename", "path"),
    ("folder", "dir"),
    ("path", "dir"),
    ("path", "file"),
    ("path", "vault"),
    ("file", "sops"),
    ("dir", "files"),
    ("source", "from"),
    ("sources", "from"),
    ("target", "to"),
    ("targets", "to"),
    ("destinations", "to"),
    ("secrets", "deliveries"),
    ("data", "fields"),
    ("env", "fields"),
    ("values", "fields"),
    ("templates", "fields"),
    ("keys", "pick"),
    ("fields", "pick"),
    ("field", "pick"),
    ("only", "pick"),
    ("url", "address"),
    ("addr", "address"),
    ("ca", "caFile"),
    ("caCert", "caFile"),
    ("skipVerify", "caFile"),
    ("tlsSkipVerify", "caFile"),
    ("insecure", "caFile"),
    ("roleId", "roleIdFile"),
    ("secretId", "secretIdFile"),
    ("tokenPath", "tokenFile"),
    ("token", "tokenFile"),
    ("interval", "refresh"),
    ("ttl", "maxAge"),
    ("exec", "run"),
    ("cmd", "command"),
    ("args", "command"),
    ("imagePullSecrets", "serviceAccounts"),
    ("privateKey", "file"),
];

fn instead(word: &str, known: &[&str]) -> String {
    if let Some((_, _, place)) = ELSEWHERE
        .iter()
        .find(|(key, here, _)| *key == word && known.contains(here))
    {
        return format!("did you mean to write `{word}` {place}?");
    }
    let ours = OUR_WORDS
        .iter()
        .find(|(theirs, ours)| *theirs == word && known.contains(ours));
    if let Some((_, ours)) = ours {
        return format!("did you mean `{ours}`?");
    }
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}
