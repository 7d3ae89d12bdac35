//! Formats of written files.

use std::mem::take;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Location;
use super::super::check::Checker;
use super::super::located::{At, Shown};
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

/// The format of a written file.
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
    /// One YAML mapping of the fields, or the whole document.
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
    /// Takes the keys that the format uses out of `raw`; keys that are left have no effect.
    pub(super) fn file_format(
        &mut self,
        raw: &mut RawFile,
        place: &At<Shown>,
        path: &Path,
        at: &Location,
    ) -> Option<FileFormat> {
        let of_template = raw.template.as_ref().map(|_| RawFileFormat::Template);
        let said = raw.format.as_ref().map(|format| format.value);
        let Some(format) = said.or(of_template).or_else(|| by_name(path)) else {
            self.problem(
                place,
                "the name of this file does not tell its format",
                "add `format:` with dotenv, json, yaml, properties, raw or template",
            );
            return None;
        };
        let format = match format {
            RawFileFormat::Dotenv => Some(FileFormat::Dotenv {
                edit: take(&mut raw.edit),
            }),
            RawFileFormat::Json => Some(FileFormat::Json {
                as_strings: take(&mut raw.as_strings),
            }),
            RawFileFormat::Yaml => Some(FileFormat::Yaml),
            RawFileFormat::Properties => Some(FileFormat::Properties),
            RawFileFormat::Raw => Some(FileFormat::Raw {
                field: take(&mut raw.field).map(|field| self.name(&field, "the field")),
            }),
            RawFileFormat::Template => self.template(take(&mut raw.template), at),
        };
        let left = [
            (raw.edit, "edit", "dotenv"),
            (raw.as_strings, "asStrings", "json"),
            (raw.field.is_some(), "field", "raw"),
            (raw.template.is_some(), "template", "template"),
        ];
        for (_, option, of) in left.into_iter().filter(|(left, ..)| *left) {
            let what = format!("`{option}` is of use only with `format: {of}`");
            self.problem(at, what, "remove it");
        }
        format
    }

    fn template(&mut self, written: Option<At<Shown>>, at: &Location) -> Option<FileFormat> {
        let Some(file) = written else {
            self.problem(at, "`template` is missing here", "add `template: FILE`");
            return None;
        };
        let path = self.path(&file);
        match (self.outside.read)(&path) {
            Ok(text) => Some(FileFormat::Template {
                text,
                name: path.display().to_string(),
            }),
            Err(error) => {
                let what = format!("template {} cannot be read: {error}", path.display());
                let hint = "the path starts at this configuration's folder";
                self.report(class_of_reading(&error), &file, what, hint);
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
