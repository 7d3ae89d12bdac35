//! Tells others that something which they use has changed. `plan` decides who is told; no value is
//! seen here.

mod process;
mod restart;
mod run;
mod signal;
mod webhook;

pub use process::departed;
pub use run::{KillScope, RunningProgram};
pub use signal::number;

use crate::base::failure::Failure;
use crate::config::Reaction;
use crate::pass::world::World;
use crate::plan::ReactionNotice;

/// Does one reaction. All attempts of one reaction have the same id.
pub async fn react(
    reaction: &Reaction,
    news: &ReactionNotice,
    id: &str,
    world: &World,
) -> Result<(), Failure> {
    match reaction {
        Reaction::Signal { to, signal } => signal::send(to, *signal).await,
        Reaction::Run { command, timeout } => run::run(command, *timeout, news).await,
        Reaction::Restart { kind, at, wait } => {
            restart::restart(*kind, at, *wait, news, world).await
        }
        Reaction::Webhook {
            url,
            ca_file,
            key_file,
        } => webhook::call(url, ca_file.as_deref(), key_file.as_deref(), news, id).await,
    }
}
