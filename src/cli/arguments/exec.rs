//! What `exec` takes.

use clap::Args;
use keyferry::mode::watch::OnChange;

use super::{Deadline, Place};

/// Run a program with secrets in its environment.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The delivery, where the configuration has several
    #[arg(long, value_name = "NAME", env = "KEYFERRY_DELIVERY")]
    pub(crate) delivery: Option<String>,
    #[command(flatten)]
    pub(crate) limit: Deadline,
    /// Stay, and when a field changes do what --on-change says
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: `restart` CMD with the new environment (SIGTERM, after 10 s SIGKILL), or send
    /// it a signal such as HUP
    #[arg(
        long,
        value_name = "ACTION",
        default_value = "restart",
        requires = "watch",
        value_parser = OnChange::parse
    )]
    pub(crate) on_change: OnChange,
    /// Instead of a program: give the fields to the later steps of a job of GitHub Actions, hidden
    /// in its log, by the file that GITHUB_ENV names
    #[arg(long, conflicts_with_all = ["watch", "command"])]
    pub(crate) github_env: bool,
    /// With --github-env: as outputs of the step too, by the file that GITHUB_OUTPUT names
    #[arg(long, requires = "github_env")]
    pub(crate) github_output: bool,
    /// The program and its arguments, after `--`
    #[arg(
        last = true,
        required_unless_present = "github_env",
        value_name = "CMD"
    )]
    pub(crate) command: Vec<std::ffi::OsString>,
}
