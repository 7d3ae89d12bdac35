//! Computed fields, and names of fields.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Location;
use super::check::Checker;
use super::located::{At, Hidden, Shown};

/// A computed field: its template, or a mapping with it.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum RawField {
    /// The template.
    Template(String),
    /// The template, and what it gives.
    Encoded(RawEncodedField),
}

/// A computed field whose template gives its value in an encoding.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawEncodedField {
    /// The template.
    pub template: At<Hidden>,
    /// Encoding of the template's output (default: text).
    pub encoding: Option<RawFieldEncoding>,
}

/// Encoding of a template's output.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawFieldEncoding {
    /// Base64 of the bytes that are meant.
    Base64,
}

impl<'de> Deserialize<'de> for RawField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawField;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a template, or a mapping with `template`")
            }
            fn visit_str<E>(self, text: &str) -> Result<RawField, E> {
                Ok(RawField::Template(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawField, A::Error> {
                RawEncodedField::deserialize(MapAccessDeserializer::new(map)).map(RawField::Encoded)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A field made from others by a template.
#[derive(Debug, Clone)]
pub struct ComputedField {
    /// Name of the field.
    pub name: String,
    /// The template's text.
    pub template: String,
    /// Whether the template gives base64 of the value instead of the value.
    pub base64: bool,
    /// Where the template was written.
    pub at: Location,
}

impl Checker<'_> {
    pub(super) fn computed(&mut self, name: String, written: At<RawField>) -> ComputedField {
        self.no_variable(&written, "the field", &name);
        let (template, encoding) = match &written.value {
            RawField::Template(text) => (written.with(Hidden(text.clone())), None),
            RawField::Encoded(RawEncodedField { template, encoding }) => {
                (template.clone(), *encoding)
            }
        };
        ComputedField {
            at: self.location(&template),
            template: self.text(&template),
            base64: matches!(encoding, Some(RawFieldEncoding::Base64)),
            name,
        }
    }
}

/// The name of a field, as `require` and `deliver` list it.
#[derive(Debug, Clone)]
pub struct FieldName {
    /// The name.
    pub name: String,
    /// Where it was written.
    pub at: Location,
}

impl Checker<'_> {
    pub(super) fn field_names(&mut self, written: &[At<Shown>]) -> Vec<FieldName> {
        let field = |written: &At<Shown>| FieldName {
            name: self.name(written, "this field"),
            at: self.location(written),
        };
        written.iter().map(field).collect()
    }
}
