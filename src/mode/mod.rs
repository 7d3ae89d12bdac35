//! When to make a pass, and what to do with its result. Each mode is a thin user of
//! [`crate::pass::pipeline`].

pub mod check;
pub mod child_program;
pub mod exec;
pub mod exec_github;
pub mod exec_watch;
pub mod grants;
pub mod history;
pub mod install;
pub mod missing_rights;
pub mod one_pass;
mod reaper;
pub mod reflector;
pub mod rollback;
pub mod sidecar;
mod signals;
mod telemetry;
pub mod trace;

use self::signals::stopped;
pub use self::signals::{Stop, guard};
use crate::pass::outcome::Failed;
use crate::pass::world::World;

/// How a mode ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything is as declared; the text is the last line.
    Well(String),
    /// There are differences, and nothing was written.
    Differs(String),
    /// It failed; this is the worst failure.
    Failed(Failed),
    /// A signal ended it.
    Signal(Stop),
    /// The started program ended; its exit code becomes ours.
    Program(u8),
}

/// Works until the work is done or a signal comes, and gives the tokens of this world back in both
/// cases.
async fn until_stopped<T>(world: World, work: impl AsyncFnOnce(&World) -> T) -> Result<T, Stop> {
    let stopped = stopped();
    let done = tokio::select! {
        done = work(&world) => Ok(done),
        stop = stopped => Err(stop),
    };
    world.close().await;
    done
}

impl Ended {
    /// The same end for a mode whose report already shows the result; failures are still printed.
    #[must_use]
    pub fn shown_above(self) -> Self {
        match self {
            Self::Well(_) => Self::Well(String::new()),
            Self::Differs(_) => Self::Differs(String::new()),
            Self::Failed(_) | Self::Signal(_) | Self::Program(_) => self,
        }
    }
}
