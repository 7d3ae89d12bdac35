//! One file, or a folder of files: fields or whole documents in the format of the target.

mod dotenv;
mod properties;
pub mod shared_dotenv;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::base::artifact::{
    Artifact, EnvLine, FileArtifact, FileBody, FileSetArtifact, Variables,
};
use crate::base::failure::{Class, Failure, Fault};
use crate::base::material::{Material, Node, SecretBytes};
use crate::base::printable;
use crate::config::{FileFormat, FileSetTarget, FileTarget};

use crate::format::json::write as json;
use crate::format::yaml::write as yaml;
use crate::render::field::{FieldError, Fields};
use crate::render::inputs::Inputs;
use crate::render::names::is_file_name;
use crate::template::jinja::Template;

pub(super) fn file(target: &FileTarget, inputs: &Inputs<'_>) -> Result<Artifact, Failure> {
    let FileTarget {
        path,
        format,
        access,
        at: _,
    } = target;
    Ok(Artifact::of_file(FileArtifact {
        path: path.clone(),
        body: body(format, inputs)?,
        variables: variables(format),
        access: access.clone(),
    }))
}

fn variables(format: &FileFormat) -> Variables {
    match format {
        FileFormat::Dotenv { .. } => Variables::Dotenv,
        FileFormat::Json { .. } => Variables::Json,
        FileFormat::Yaml => Variables::Yaml,
        FileFormat::Properties => Variables::Properties,
        FileFormat::Raw { .. } | FileFormat::Template { .. } => Variables::Opaque,
    }
}

fn body(format: &FileFormat, inputs: &Inputs<'_>) -> Result<FileBody, Failure> {
    let whole = match format {
        FileFormat::Dotenv { edit: true } => return Ok(FileBody::Lines(lines(inputs.fields()?)?)),
        FileFormat::Dotenv { edit: false } => dotenv::body(&lines(inputs.fields()?)?),
        FileFormat::Json { as_strings } => match inputs.documents()? {
            Some(material) => json::documents(&material.documents, *as_strings)?,
            None => json::object(nodes(inputs.fields()?)?.into_iter(), *as_strings)?,
        },
        FileFormat::Yaml => match inputs.documents()? {
            Some(material) => yaml::documents(&material.documents, material.merge_keys)?,
            None => {
                let fields = inputs.fields()?;
                let merge_keys = fields.list.iter().map(|field| field.merge_keys);
                yaml::object(nodes(fields)?.into_iter().zip(merge_keys))?
            }
        },
        FileFormat::Properties => properties::render(inputs.fields()?)?,
        FileFormat::Raw { field } => raw(field.as_deref(), inputs)?,
        FileFormat::Template { text, name } => {
            let fields = inputs.fields()?;
            Template::parse(text)
                .and_then(|template| template.render(fields))
                .map_err(|error| error.in_file(name))?
        }
    };
    Ok(FileBody::Whole(whole))
}

fn lines(fields: &Fields<'_>) -> Result<Vec<EnvLine>, Failure> {
    let leaves = fields.leaves()?.into_iter();
    leaves
        .map(|(name, value)| Ok(dotenv::line(name, value)?))
        .collect()
}

/// A list or mapping is delivered only if `pick` asked for it; null is never delivered.
fn nodes<'f>(fields: &'f Fields<'_>) -> Result<Vec<(&'f str, &'f Node)>, FieldError> {
    let mut nodes = Vec::new();
    for field in fields.some()? {
        let node = field.value.node();
        let nested = matches!(node, Node::List(_) | Node::Map(_));
        if !(nested && field.picked) {
            fields.leaf(field)?;
        }
        nodes.push((field.name.as_str(), node));
    }
    Ok(nodes)
}

/// The only leaf of a whole document is delivered unchanged, even if it is empty.
fn raw(name: Option<&str>, inputs: &Inputs<'_>) -> Result<SecretBytes, Failure> {
    if name.is_none()
        && let Some(Material { documents, .. }) = inputs.documents()?
        && let [document] = documents.as_slice()
    {
        let only = match document {
            Node::Map(entries) if entries.len() == 1 => entries[0].1.leaf(),
            Node::Null
            | Node::Bool(_)
            | Node::Number(_)
            | Node::Time(_)
            | Node::Text(_)
            | Node::List(_)
            | Node::Map(_) => document.leaf(),
        };
        if let Some(bytes) = only {
            return Ok(bytes);
        }
    }
    let fields = inputs.fields()?;
    match (name, fields.some()?) {
        (Some(name), _) => Ok(fields.secret(name)?),
        (None, [only]) => Ok(fields.secret(&only.name)?),
        (None, _) => Err(FilesError::WhichField(fields.names()).into()),
    }
}

pub(super) fn set(target: &FileSetTarget, inputs: &Inputs<'_>) -> Result<Artifact, Failure> {
    let FileSetTarget { dir, access, at: _ } = target;
    let mut files = BTreeMap::new();
    for (name, bytes) in inputs.fields()?.leaves()? {
        if !is_file_name(name) {
            return Err(FilesError::Unsafe(printable::names([name])).into());
        }
        files.insert(name.to_owned(), SecretBytes::from(bytes));
    }
    Ok(Artifact::of_set(FileSetArtifact {
        dir: dir.clone(),
        files,
        access: access.clone(),
    }))
}

/// Why the fields give no file.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum FilesError {
    #[error("a raw file takes one field, and there are several: {0}")]
    WhichField(String),
    #[error("unsafe target path: field {0} cannot be the name of a file")]
    Unsafe(String),
}

impl Fault for FilesError {
    fn class(&self) -> Class {
        Class::Configuration
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::WhichField(_) => "name it with `field:`".to_owned(),
            Self::Unsafe(_) => {
                "a name has no `/`, does not start with `..` and is not longer than 255 bytes; \
                 give another with `rename`"
                    .to_owned()
            }
        })
    }
}
