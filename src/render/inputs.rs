//! What the targets of one delivery are made of.

use std::cell::OnceCell;

use super::delivery_fields;
use super::field::Fields;
use super::place::within;
use crate::base::failure::Failure;
use crate::base::material::Material;
use crate::base::printable;
use crate::config::{Delivery, Target};
use crate::render::fetched::Fetched;

/// The input of a target. Fields are merged when the first target needs them: if a delivery has one
/// whole document, its nested values never become fields.
pub(super) struct Inputs<'a> {
    delivery: &'a Delivery,
    fetched: &'a Fetched,
    fields: OnceCell<Result<Fields<'a>, Failure>>,
    documents: OnceCell<Result<Option<&'a Material>, Failure>>,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(delivery: &'a Delivery, fetched: &'a Fetched) -> Self {
        Self {
            delivery,
            fetched,
            fields: OnceCell::new(),
            documents: OnceCell::new(),
        }
    }

    pub(super) fn fields(&self) -> Result<&Fields<'a>, Failure> {
        self.fields
            .get_or_init(|| delivery_fields::fields(self.delivery, self.fetched))
            .as_ref()
            .map_err(Failure::clone)
    }

    /// The data of the only source, if its documents are delivered unchanged.
    pub(super) fn documents(&self) -> Result<Option<&'a Material>, Failure> {
        self.documents
            .get_or_init(|| delivery_fields::whole_documents(self.delivery, self.fetched))
            .clone()
    }

    /// A failure of the inputs is not a failure of the target that needed them first.
    pub(super) fn blame(&self, target: &Target, failure: Failure) -> Failure {
        let of_inputs = self.fields.get().is_some_and(Result::is_err)
            || self.documents.get().is_some_and(Result::is_err);
        if of_inputs {
            return failure;
        }
        match target {
            Target::File(file) => {
                let path = printable::quoted(&file.path.display().to_string());
                within(format!("file {path} ({})", file.at), failure)
            }
            Target::Files(set) => {
                let dir = printable::quoted(&set.dir.display().to_string());
                within(format!("files {dir} ({})", set.at), failure)
            }
            Target::Secret(secret) => {
                let name = printable::quoted(&secret.at.name);
                within(format!("secret {name} ({})", secret.location), failure)
            }
        }
    }
}
