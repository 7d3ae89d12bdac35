//! What is written into a file.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Location;
use super::super::at::{At, Shown};
use super::super::check::Checker;
use super::file::RawFile;
use crate::base::failure::class_of_reading;

/// Format of a written file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawFileFormat {
    /// NAME=value, read alike by sh, docker compose and node.
    Dotenv,
    /// A JSON object.
    Json,
    /// A YAML mapping.
    Yaml,
    /// name=value of Java.
    Properties,
    /// The bytes of one field.
    Raw,
    /// The output of a template.
    Template,
}

/// What is written into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFormat {
    /// `NAME=value`, read alike by sh, docker compose and node.
    Dotenv {
        /// Only our variables change; all else in the file stays.
        edit: bool,
    },
    /// One JSON object of the fields, or the whole document.
    Json {
        /// Numbers and truth values become text.
        as_strings: bool,
    },
    /// YAML, the same.
    Yaml,
    /// `name=value` of Java.
    Properties,
    /// One field's bytes; without a name the only one.
    Raw {
        /// The field.
        field: Option<String>,
    },
    /// A template's output.
    Template {
        /// The template's text, read when the configuration was loaded.
        text: String,
        /// The file's name, for messages.
        name: String,
    },
}

impl Checker<'_> {
    pub(super) fn file_format(
        &mut self,
        raw: &RawFile,
        place: &At<Shown>,
        path: &Path,
        at: &Location,
    ) -> Option<FileFormat> {
        let format = match (&raw.format, by_name(path)) {
            (Some(format), _) => format.value,
            (None, _) if raw.template.is_some() => RawFileFormat::Template,
            (None, Some(format)) => format,
            (None, None) => {
                self.problem(
                    place,
                    "the name of this file does not tell its format",
                    "add `format:` with dotenv, json, yaml, properties, raw or template",
                );
                return None;
            }
        };
        let dotenv = matches!(format, RawFileFormat::Dotenv);
        let useless = [
            (raw.edit && !dotenv, "edit", "dotenv"),
            (
                raw.as_strings && !matches!(format, RawFileFormat::Json),
                "asStrings",
                "json",
            ),
            (
                raw.field.is_some() && !matches!(format, RawFileFormat::Raw),
                "field",
                "raw",
            ),
            (
                raw.template.is_some() && !matches!(format, RawFileFormat::Template),
                "template",
                "template",
            ),
        ];
        for (_, option, of) in useless.into_iter().filter(|(wrong, ..)| *wrong) {
            self.problem(
                at,
                format!("`{option}` is of use only with `format: {of}`"),
                "remove it",
            );
        }
        Some(match format {
            RawFileFormat::Dotenv => FileFormat::Dotenv { edit: raw.edit },
            RawFileFormat::Json => FileFormat::Json {
                as_strings: raw.as_strings,
            },
            RawFileFormat::Yaml => FileFormat::Yaml,
            RawFileFormat::Properties => FileFormat::Properties,
            RawFileFormat::Raw => FileFormat::Raw {
                field: raw
                    .field
                    .as_ref()
                    .map(|field| self.name(field, "the field")),
            },
            RawFileFormat::Template => self.template(raw.template.as_ref(), at)?,
        })
    }

    fn template(&mut self, written: Option<&At<Shown>>, at: &Location) -> Option<FileFormat> {
        let Some(file) = written else {
            self.problem(at, "`template` is missing here", "add `template: FILE`");
            return None;
        };
        let path = self.path(file);
        match (self.outside.read)(&path) {
            Ok(text) => Some(FileFormat::Template {
                text,
                name: path.display().to_string(),
            }),
            Err(error) => {
                let what = format!("template {} cannot be read: {error}", path.display());
                let hint = "the path starts at this configuration's folder";
                self.report(class_of_reading(&error), file, what, hint);
                None
            }
        }
    }
}

fn by_name(path: &Path) -> Option<RawFileFormat> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    match name.rsplit('.').next()? {
        "env" => Some(RawFileFormat::Dotenv),
        "json" => Some(RawFileFormat::Json),
        "yaml" | "yml" => Some(RawFileFormat::Yaml),
        "properties" => Some(RawFileFormat::Properties),
        _ => None,
    }
}
