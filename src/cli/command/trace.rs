//! `trace`: where an object of the cluster comes from.

use clap::{Args, ValueEnum};

use keyferry::base::style::Format;
use keyferry::mode::{Ended, trace};

use crate::cli::arguments::{Common, Deadline};
use crate::cli::print::{print, then};
use crate::cli::runtime::block_on;

/// Say where a Secret of the cluster comes from: configuration, delivery, sources and their
/// versions
///
/// Reads what keyferry noted on the Secret itself, and none of its values: it needs no
/// configuration and no Vault, only `get` on the Secret. `at or after version 7` means: the
/// values are those of version 7 of the source; a later version with equal values writes
/// nothing. A Secret that keyferry did not write is said to be so, with its field managers.
#[derive(Debug, Args)]
#[command(mut_arg("deadline", |arg| arg.default_value("30s")))]
pub(crate) struct Trace {
    /// What it is
    #[arg(value_enum, value_name = "KIND")]
    kind: TraceKind,
    /// NAMESPACE/NAME, or NAME in the namespace of the pod or of the kubeconfig's context
    #[arg(value_name = "NAME")]
    name: String,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
    #[command(flatten)]
    limit: Deadline,
}

/// What can be traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TraceKind {
    /// A Secret of the cluster.
    Secret,
}

impl Trace {
    pub(super) fn run(self, common: &Common) -> Ended {
        let Self {
            kind: TraceKind::Secret,
            name,
            output,
            limit,
        } = self;
        let (ended, text) = block_on(common, trace::secret(&name, limit.deadline, output));
        then(print(&text), ended)
    }
}
