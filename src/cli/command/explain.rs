//! `explain`: what can be written at a place of the configuration.

use clap::Args;

use keyferry::base::failure::{Class, Failure};
use keyferry::config::reference;
use keyferry::mode::Ended;

use crate::cli::print::{print, printed};

/// Say what can be written at a place of the configuration
///
/// A place is the keys on the way to it: `keyferry explain deliveries.to.file`. Without one:
/// the top.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The keys on the way to it, joined by dots
    #[arg(value_name = "PLACE", default_value = "", hide_default_value = true)]
    place: String,
    /// Print the tables of all keys in Markdown: the end of docs/configuration.md
    #[arg(long, conflicts_with = "place")]
    markdown: bool,
}

impl Explain {
    pub(super) fn run(self) -> Ended {
        if self.markdown {
            return print(&reference::markdown());
        }
        let page = reference::explain(&self.place);
        printed(page.map_err(|why| Failure::new(Class::Usage, why.what).hint(why.hint)))
    }
}
