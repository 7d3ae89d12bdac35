//! A Vault session of the library, run so that nothing it says or shows can hold a secret unseen.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyferry::base::failure::Failure;
use keyferry::base::material::{Material, Node};
use keyferry::config::{Location, VaultAuth, VaultRead, VaultServer};
use keyferry::vault::Session;
use tokio::time::Instant;

use super::canary::assert_none_in;

/// A server with nothing but address and identity.
pub(crate) fn server(address: &str, auth: VaultAuth) -> VaultServer {
    VaultServer {
        name: "default".to_owned(),
        address: address.to_owned(),
        namespace: None,
        ca_file: None,
        server_name: None,
        allow_plaintext: false,
        auth,
        at: Location::default(),
        ca_at: Location::default(),
        address_at: Location::default(),
        auth_at: Location::default(),
    }
}

/// A session that waits at most this long.
pub(crate) fn session(server: &VaultServer, time_limit: Duration) -> Session {
    Session::new(server.clone(), Instant::now() + time_limit)
}

/// A read without version or body.
pub(crate) fn path(path: &str) -> VaultRead {
    VaultRead {
        server: "default".to_owned(),
        path: path.to_owned(),
        exact: false,
        version: None,
        write: None,
    }
}

/// A read of one version.
pub(crate) fn version(of: &str, version: u64) -> VaultRead {
    VaultRead {
        version: Some(version),
        ..path(of)
    }
}

/// A write that answers data.
pub(crate) fn write(to: &str, body: &str) -> VaultRead {
    VaultRead {
        write: Some(body.to_owned()),
        ..path(to)
    }
}

/// Kubernetes auth with role `platform` and this JWT file.
pub(crate) fn kubernetes(token_file: &Path) -> VaultAuth {
    VaultAuth::Kubernetes {
        mount: "kubernetes".to_owned(),
        role: "platform".to_owned(),
        token_file: token_file.to_owned(),
    }
}

/// Runs a future on a runtime of its own, at most TRACE loud, and fails if a secret is in a log or
/// in the result's Debug.
pub(crate) fn watched<T: Debug>(secrets: &[&str], future: impl Future<Output = T>) -> T {
    overheard(secrets, future).0
}

/// The same, with all that was logged.
pub(crate) fn overheard<T: Debug>(
    secrets: &[&str],
    future: impl Future<Output = T>,
) -> (T, String) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let result = tracing::subscriber::with_default(subscriber, || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(future)
    });
    let log = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_none_in("a log", &log, secrets);
    assert_none_in(
        "a result",
        format!("{result:?} {result:#?}").as_bytes(),
        secrets,
    );
    (result, String::from_utf8_lossy(&log).into_owned())
}

/// One read in a session of its own that is closed after, as if what it gave had been delivered.
pub(crate) fn read_once(
    secrets: &[&str],
    server: &VaultServer,
    time_limit: Duration,
    read: &VaultRead,
) -> Result<Material, Failure> {
    watched(secrets, async {
        let session = session(server, time_limit);
        let material = session.read(read).await;
        if material
            .as_ref()
            .is_ok_and(|material| material.lease.is_some())
        {
            session.outlive();
        }
        session.close().await;
        material
    })
}

/// The fields of a document as text; nested ones as `<nested>`, `null` as `<null>`.
pub(crate) fn fields(material: &Material) -> BTreeMap<String, String> {
    let [Node::Map(entries)] = material.documents.as_slice() else {
        panic!("not one mapping: {material:?}");
    };
    let text = |node: &Node| match (node, node.leaf()) {
        (_, Some(leaf)) => leaf.expose_str().expect("UTF-8").to_owned(),
        (Node::Null, None) => "<null>".to_owned(),
        (_, None) => "<nested>".to_owned(),
    };
    entries
        .iter()
        .map(|(name, node)| (name.clone(), text(node)))
        .collect()
}

/// A file of a test's folder, readable by its owner alone.
pub(crate) fn secret_file(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    let fresh = folder.join(format!("{name}.new"));
    std::fs::write(&fresh, text).expect("a file can be written");
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    std::fs::rename(&fresh, &path).expect("a file can be renamed");
    path
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
