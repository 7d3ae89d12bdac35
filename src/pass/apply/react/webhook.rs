//! Tells a server which names changed, with a signature if a key is configured.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::base::coding::hex;
use crate::base::failure::Failure;
use crate::disk::{read_by, read_small};
use crate::net::{Post, post};
use crate::plan::ReactionNotice;

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn call(
    url: &str,
    ca_file: Option<&Path>,
    key_file: Option<&Path>,
    news: &ReactionNotice,
    id: &str,
) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    // The signature covers both: so a receiver can refuse an old message and a repeated one.
    let body = serde_json::json!({
        "event": "changed",
        "id": id,
        "time": format!("{:.0}", Timestamp::now()),
        "deliveries": news.deliveries,
        "targets": news.targets,
        "keys": news.keys,
        "versions": news.versions,
    });
    let body = body.to_string();
    let signature = match key_file {
        None => None,
        Some(file) => {
            let key = read_by(read_small, file, "webhook key file", end)
                .await?
                .trimmed();
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
            let tag = hmac::sign(&key, body.as_bytes());
            Some(format!("sha256={}", hex::encode(tag.as_ref())))
        }
    };
    let message = Post {
        url: url.to_owned(),
        ca_file: ca_file.map(Path::to_owned),
        body,
        signature,
        allow_plaintext: false,
    };
    post(message, end).await
}
