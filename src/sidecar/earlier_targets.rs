//! Accepts the targets that an earlier process left, if they count.

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::Instant;

use super::delivery_health::Good;
use super::health::Health;
use crate::config::{Config, FileFormat, Target};
use crate::disk::call_at;

/// How long a folder may take to list its files.
const PATIENCE: Duration = Duration::from_secs(2);

/// Accepts the targets of an earlier process if the delivery allows it and all of them are there.
pub(super) async fn accept(group: &Config, health: &Health) {
    for delivery in group
        .deliveries
        .iter()
        .filter(|delivery| delivery.staleness.accept_cached)
    {
        let written = join_all(delivery.to.iter().map(written)).await;
        let written: Option<Vec<SystemTime>> = written.into_iter().collect();
        let Some(oldest) = written.into_iter().flatten().min() else {
            continue;
        };
        let age = oldest.elapsed().unwrap_or_default();
        if let (Ok(at), Some(since)) =
            (Timestamp::try_from(oldest), Instant::now().checked_sub(age))
        {
            let good = Good {
                at,
                since,
                cached: true,
            };
            health.accept(&delivery.name, good);
            tracing::info!(
                delivery = delivery.name,
                age_s = age.as_secs(),
                "accepted as an earlier run left it"
            );
        }
    }
}

/// When a target was written, if it is complete and the answer comes in time.
async fn written(target: &Target) -> Option<SystemTime> {
    let (path, filled) = match target {
        Target::File(file) if file.format == (FileFormat::Dotenv { edit: true }) => return None,
        Target::File(file) => (file.path.clone(), true),
        Target::Files(files) => (files.dir.join("..data"), false),
        Target::Secret(_) => return None,
    };
    let folder = path.parent().unwrap_or(&path).to_owned();
    let seen = call_at(&folder, Instant::now() + PATIENCE, move |_| {
        std::fs::metadata(path)
    });
    let seen = seen.await.ok()?.ok()?;
    let whole = !filled || seen.len() > 0;
    seen.modified().ok().filter(|_| whole)
}
