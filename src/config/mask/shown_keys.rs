//! Which keys have values that may be shown: the type of each key in the shape of the configuration
//! says so.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::super::RawConfig;
use super::super::located::SHOWN;

/// All keys of a configuration.
pub(super) static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let schema = schemars::schema_for!(RawConfig).to_value();
    let mut keys = Keys::default();
    keys.read(&schema, &schema, &mut BTreeSet::new());
    keys
});

/// Keys by name: what they hold may differ from place to place.
#[derive(Default)]
pub(super) struct Keys {
    shown: BTreeSet<String>,
    hidden: BTreeSet<String>,
    closed: BTreeSet<String>,
    /// Keys of texts whose type does not say whether they may be shown.
    pub(super) wordless: BTreeSet<String>,
}

impl Keys {
    /// Whether values of this key may be shown.
    pub(super) fn shows(&self, key: &str) -> bool {
        self.shown.contains(key) && !self.hidden.contains(key)
    }

    /// Whether the keys beneath this key are the user's own names, which say nothing about their
    /// values.
    pub(super) fn closes(&self, key: &str) -> bool {
        self.closed.contains(key)
    }

    fn read(&mut self, of: &Value, all: &Value, seen: &mut BTreeSet<String>) {
        let properties = of["properties"].as_object().into_iter().flatten();
        for (key, value) in properties {
            self.key(key, value, all, seen);
        }
    }

    fn key(&mut self, key: &str, of: &Value, all: &Value, seen: &mut BTreeSet<String>) {
        if let Some(name) = of["$ref"].as_str() {
            let of = defined(of, all);
            return match of["properties"].is_object() {
                true if seen.insert(name.to_owned()) => self.read(of, all, seen),
                true => {}
                false => self.key(key, of, all, seen),
            };
        }
        for one in of["anyOf"].as_array().into_iter().flatten() {
            self.key(key, one, all, seen);
        }
        let types = of["type"].as_array().map(Vec::as_slice);
        let types = types.unwrap_or(std::slice::from_ref(&of["type"]));
        let is = |name| types.iter().any(|of| of == name);
        let words = match of[SHOWN].as_bool() {
            Some(true) => &mut self.shown,
            Some(false) => &mut self.hidden,
            // A switch, a number or one of a few words.
            None if of["oneOf"].is_array() || of["enum"].is_array() => &mut self.shown,
            None if is("boolean") || is("integer") => &mut self.shown,
            None if is("array") => return self.key(key, &of["items"], all, seen),
            None if is("object") => match &of["additionalProperties"] {
                more if is_ours(more, all) => return self.key(key, more, all, seen),
                more => {
                    let kinds = defined(more, all)["anyOf"].as_array().into_iter().flatten();
                    for one in kinds.filter(|one| one["$ref"].is_string()) {
                        self.key(key, one, all, seen);
                    }
                    &mut self.closed
                }
            },
            None if is("string") => &mut self.wordless,
            None => return,
        };
        words.insert(key.to_owned());
    }
}

/// Whether the schema is a mapping with keys of ours.
fn is_ours(of: &Value, all: &Value) -> bool {
    of["$ref"].is_string() && defined(of, all)["properties"].is_object()
}

/// The schema that a reference names; any other stays as it is.
fn defined<'a>(of: &'a Value, all: &'a Value) -> &'a Value {
    match of["$ref"].as_str() {
        Some(name) => all
            .pointer(name.trim_start_matches('#'))
            .unwrap_or(&Value::Null),
        None => of,
    }
}
