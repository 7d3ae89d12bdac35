//! Why the sources of a delivery give no fields.

use std::rc::Rc;

use thiserror::Error;

use super::field::FieldOrigin;
use crate::base::failure::{Class, Fault};
use crate::base::printable;
use crate::format::json::write::JsonError;

/// What is wrong with the sources, or with what is taken from them.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum MergeError {
    #[error("field {} is not there", printable::quoted(path))]
    NotThere { path: String, there: Vec<String> },
    #[error(
        "field {} comes from {first} and again from {second}",
        printable::quoted(field)
    )]
    Twice {
        field: String,
        first: Rc<FieldOrigin>,
        second: Rc<FieldOrigin>,
    },
    #[error("it is {0}, not a mapping of fields")]
    NotFields(&'static str),
    #[error("it holds {0} documents, not one mapping of fields")]
    SeveralDocuments(usize),
    #[error("field {} is not base64: it is {is}", printable::quoted(field))]
    NotBase64 { field: String, is: &'static str },
    #[error("field {} cannot become JSON: {problem}", printable::quoted(field))]
    NotJson { field: String, problem: JsonError },
}

impl Fault for MergeError {
    fn class(&self) -> Class {
        match self {
            Self::NotThere { .. } => Class::Missing,
            Self::NotBase64 { .. } => Class::Corrupt,
            Self::Twice { .. } => Class::Configuration,
            Self::NotFields(_) | Self::SeveralDocuments(_) | Self::NotJson { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotThere { there, .. } if there.is_empty() => "it has no field at all".to_owned(),
            Self::NotThere { there, .. } => {
                format!(
                    "it has {}",
                    printable::names(there.iter().map(String::as_str))
                )
            }
            Self::Twice { first, second, .. } if first == second => {
                "let `rename` give each its own name".to_owned()
            }
            Self::Twice { .. } => {
                "say `override: true` on the later source, or keep them apart with `prefix`, \
                 `pick` or `rename`"
                    .to_owned()
            }
            Self::NotFields(_) => "take parts of it with `pick`, such as `0.name`".to_owned(),
            Self::SeveralDocuments(_) => {
                "take parts with `pick`: `0.name` is `name` of the first document".to_owned()
            }
            Self::NotBase64 { .. } => {
                "`encoding: base64` holds for all that is taken; name the fields that are base64 \
                 in `pick`, and the others in a second entry of the same source"
                    .to_owned()
            }
            Self::NotJson { problem, .. } => return problem.hint(),
        })
    }
}
