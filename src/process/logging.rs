//! Logs: to standard error, as text or JSON, never a value. Libraries that would log their own
//! errors are silenced.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::process::progress::Log;
use crate::process::records::Recorder;

/// The levels of other crates at our level.
const LIBRARIES: &str = "vaultrs=off,rustify=off,hyper=warn,hyper_util=warn,kube_client=warn,\
    rustls=warn,tower=warn,h2=warn,age=warn,i18n_embed=off";

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Starts logging; gives the mistake in the filter, if there is one.
pub fn start(filter: &str, json: bool, coloured: bool) -> Result<(), String> {
    let wrong = || format!("`{filter}` is no log level; write {}", LEVELS.join(", "));
    // A misspelt level would be read as the name of a crate, and everything else would be silent.
    let level = |part: &str| part.rsplit('=').next().unwrap_or_default().to_lowercase();
    if !filter
        .split(',')
        .all(|part| LEVELS.contains(&level(part.trim()).as_str()))
    {
        return Err(wrong());
    }
    let filter = EnvFilter::try_new(format!("{LIBRARIES},{filter}")).map_err(|_| wrong())?;
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Log { coloured })
        .with_target(false)
        .with_ansi(coloured);
    if json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .finish()
            .with(Recorder)
            .init();
    } else if terminal {
        builder.without_time().finish().with(Recorder).init();
    } else {
        builder.finish().with(Recorder).init();
    }
    Ok(())
}
