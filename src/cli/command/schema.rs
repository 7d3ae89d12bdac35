//! `schema`: the configuration's JSON Schema.

use clap::Args;

use keyferry::config::derived_schema::schema;
use keyferry::mode::Ended;

use crate::cli::print::print;

/// Print the JSON Schema of the configuration, for editors
#[derive(Debug, Args)]
pub(crate) struct Schema;

impl Schema {
    pub(super) fn run(self) -> Ended {
        print(&format!("{:#}\n", schema()))
    }
}
