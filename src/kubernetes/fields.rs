//! Who owns which field of an object: `metadata.managedFields`, read for our own entry and, on
//! adoption, freed of others'.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::MANAGER;

/// Entries of `managedFields`, as they are.
#[derive(Debug, Default)]
pub(crate) struct Managed(Vec<Map<String, Value>>);

impl From<Vec<Map<String, Value>>> for Managed {
    fn from(entries: Vec<Map<String, Value>>) -> Self {
        Self(entries)
    }
}

/// The fields of a Secret that an apply may name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SecretFields {
    /// Keys of `data`.
    pub(crate) data: BTreeSet<String>,
    /// Keys of `metadata.labels`.
    pub(crate) labels: BTreeSet<String>,
    /// Keys of `metadata.annotations`.
    pub(crate) annotations: BTreeSet<String>,
}

const DATA: &[&str] = &["f:data"];
const BINARY: &[&str] = &["f:binaryData"];
const LABELS: &[&str] = &["f:metadata", "f:labels"];
const ANNOTATIONS: &[&str] = &["f:metadata", "f:annotations"];

impl Managed {
    /// The fields that we applied last.
    pub(crate) fn applied(&self) -> SecretFields {
        let ours = self.0.iter().find(|entry| {
            text(entry, "manager") == MANAGER
                && text(entry, "operation") == "Apply"
                && text(entry, "subresource").is_empty()
        });
        let Some(ours) = ours else {
            return SecretFields::default();
        };
        SecretFields {
            data: keys(ours, DATA),
            labels: keys(ours, LABELS),
            annotations: keys(ours, ANNOTATIONS),
        }
    }

    /// The entries after an adoption; `None` when no entry changes. A manager that once wrote these
    /// fields with a plain update, such as `kubectl create`, no longer owns them: otherwise both
    /// would own equal values, and the first rotation would fail. Managers that apply are left
    /// alone: they are active and would take the fields back.
    pub(crate) fn without(&self, taken: &SecretFields) -> Option<Value> {
        let mut entries = self.0.clone();
        for entry in entries
            .iter_mut()
            .filter(|entry| text(entry, "operation") == "Update")
        {
            let Some(fields) = entry.get_mut("fieldsV1") else {
                continue;
            };
            remove(fields, DATA, &taken.data);
            remove(fields, BINARY, &taken.data);
            remove(fields, LABELS, &taken.labels);
            remove(fields, ANNOTATIONS, &taken.annotations);
            if let Some(fields) = fields.as_object_mut() {
                fields.remove("f:type");
                fields.remove("f:immutable");
            }
        }
        if !entries.is_empty() && entries == self.0 {
            return None;
        }
        entries.retain(|entry| {
            entry
                .get("fieldsV1")
                .is_some_and(|fields| *fields != json!({}))
        });
        if entries.is_empty() {
            // On an object without managers, the first apply meets an invented manager that owns
            // everything.
            return Some(json!([{
                "manager": MANAGER, "operation": "Update", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}}},
            }]));
        }
        Some(json!(entries))
    }
}

fn text<'a>(entry: &'a Map<String, Value>, name: &str) -> &'a str {
    entry.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn keys(entry: &Map<String, Value>, path: &[&str]) -> BTreeSet<String> {
    let mut at = entry.get("fieldsV1");
    for step in path {
        at = at.and_then(|fields| fields.get(step));
    }
    let fields = at
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys);
    fields
        .filter_map(|key| key.strip_prefix("f:"))
        .map(str::to_owned)
        .collect()
}

/// Removes keys below a path, and the path itself when it is empty then.
fn remove(fields: &mut Value, path: &[&str], keys: &BTreeSet<String>) {
    let Some(fields) = fields.as_object_mut() else {
        return;
    };
    let [first, rest @ ..] = path else {
        fields.retain(|field, _| {
            !field
                .strip_prefix("f:")
                .is_some_and(|key| keys.contains(key))
        });
        return;
    };
    let Some(inner) = fields.get_mut(*first) else {
        return;
    };
    remove(inner, rest, keys);
    if *inner == json!({}) {
        fields.remove(*first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed(entries: Value) -> Managed {
        let entries: Vec<Map<String, Value>> =
            serde_json::from_value(entries).expect("a list of objects");
        Managed::from(entries)
    }

    fn set(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|&key| key.to_owned()).collect()
    }

    #[test]
    fn only_our_own_apply_tells_what_we_applied() {
        let fields = json!({"f:data": {".": {}, "f:.dockerconfigjson": {}}, "f:metadata": {"f:labels": {"f:a/b": {}}}, "f:type": {}});
        let entry = |manager: &str, operation: &str, subresource: &str| json!([{"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": fields}]);
        let all = SecretFields {
            data: set(&[".dockerconfigjson"]),
            labels: set(&["a/b"]),
            annotations: set(&[]),
        };
        let rows = [
            (entry("keyferry", "Apply", ""), all),
            (entry("keyferry", "Update", ""), SecretFields::default()),
            (
                entry("keyferry", "Apply", "status"),
                SecretFields::default(),
            ),
            (entry("helm", "Apply", ""), SecretFields::default()),
            (json!([]), SecretFields::default()),
            (
                json!([{"manager": 7, "fieldsV1": []}]),
                SecretFields::default(),
            ),
        ];
        for (entries, want) in rows {
            assert_eq!(managed(entries.clone()).applied(), want, "{entries}");
        }
    }

    #[test]
    fn adoption_takes_fields_from_updates_and_not_from_applies() {
        let taken = SecretFields {
            data: set(&["k"]),
            labels: set(&["l"]),
            annotations: set(&[]),
        };
        let entry = |operation: &str, fields: Value| json!({"manager": "m", "operation": operation, "fieldsV1": fields});
        let placeholder = json!([{
            "manager": "keyferry", "operation": "Update", "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}}},
        }]);
        let rows = [
            (
                json!([entry(
                    "Update",
                    json!({"f:data": {".": {}, "f:k": {}, "f:other": {}}, "f:type": {}})
                )]),
                Some(json!([entry(
                    "Update",
                    json!({"f:data": {".": {}, "f:other": {}}})
                )])),
            ),
            (
                json!([
                    entry(
                        "Update",
                        json!({"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:l": {}}}})
                    ),
                    entry("Apply", json!({"f:data": {"f:k": {}}}))
                ]),
                Some(json!([entry("Apply", json!({"f:data": {"f:k": {}}}))])),
            ),
            (
                json!([entry("Update", json!({"f:data": {"f:other": {}}}))]),
                None,
            ),
            (
                json!([entry("Apply", json!({"f:data": {"f:k": {}}}))]),
                None,
            ),
            (
                json!([entry("Update", json!({"f:type": {}}))]),
                Some(placeholder.clone()),
            ),
            (json!([]), Some(placeholder)),
        ];
        for (entries, want) in rows {
            assert_eq!(managed(entries.clone()).without(&taken), want, "{entries}");
        }
    }
}
