//! What a decrypted file holds.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::at::At;

/// Format of a decrypted file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawDocumentFormat {
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

/// What a decrypted file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentFormat {
    /// `NAME=value` lines.
    Dotenv,
    /// One JSON value.
    Json,
    /// YAML documents.
    Yaml,
    /// Sections of `name = value`.
    Ini,
    /// Anything: one field `content`.
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
}

/// What was said, or what the name tells: `x.env.age` holds what `x.env` holds.
pub(super) fn document_format(
    written: Option<&At<RawDocumentFormat>>,
    path: &Path,
) -> DocumentFormat {
    match written.map(|written| written.value) {
        Some(RawDocumentFormat::Dotenv) => DocumentFormat::Dotenv,
        Some(RawDocumentFormat::Json) => DocumentFormat::Json,
        Some(RawDocumentFormat::Yaml) => DocumentFormat::Yaml,
        Some(RawDocumentFormat::Ini) => DocumentFormat::Ini,
        Some(RawDocumentFormat::Raw) => DocumentFormat::Raw,
        None => by_inner_name(path),
    }
}

pub(crate) fn by_inner_name(path: &Path) -> DocumentFormat {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let inner = name.strip_suffix(".age").unwrap_or(&name);
    match inner.rsplit('.').next() {
        Some("env") => DocumentFormat::Dotenv,
        Some("json") => DocumentFormat::Json,
        Some("yaml" | "yml") => DocumentFormat::Yaml,
        Some("ini") => DocumentFormat::Ini,
        _ => DocumentFormat::Raw,
    }
}
