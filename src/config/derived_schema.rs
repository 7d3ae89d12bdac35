//! The JSON Schema of a configuration. The doc comments of the `Raw…` types are its descriptions.

use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform as _};

use super::RawConfig;
use super::located::SHOWN;

/// The JSON Schema of a configuration, as it is printed.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(RawConfig);
    let mut clean = RecursiveTransform(|schema: &mut Schema| drop(schema.remove(SHOWN)));
    clean.transform(&mut schema);
    schema.to_value()
}
