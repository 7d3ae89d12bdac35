//! What a decrypted file holds.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

/// Format of a decrypted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DocumentFormat {
    /// NAME=value lines.
    Dotenv,
    /// One JSON value.
    Json,
    /// YAML documents.
    Yaml,
    /// Sections of `name = value`.
    Ini,
    /// One field `content`.
    Raw,
}

impl DocumentFormat {
    /// As the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Ini => "ini",
            Self::Raw => "raw",
        }
    }

    /// What the name of a file tells: `x.env.age` holds what `x.env` holds.
    pub(in crate::config) fn of(path: &Path) -> Self {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let inner = name.strip_suffix(".age").unwrap_or(&name);
        match inner.rsplit('.').next() {
            Some("env") => Self::Dotenv,
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            Some("ini") => Self::Ini,
            _ => Self::Raw,
        }
    }
}
