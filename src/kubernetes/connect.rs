//! Finding the cluster and making the client: in order `KUBECONFIG`, the pod's ServiceAccount,
//! `~/.kube/config`.
//!
//! The client is put together from `kube`'s own layers, without three of its defaults: its retries,
//! its error lines in our log, and, in a pod, the reading of the machine's certificates that it
//! would then throw away.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::middleware::{AuthLayer, BaseUriLayer, ExtraHeadersLayer};
use kube::client::{AuthError, ClientBuilder, ConfigExt as _};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};
use tower::BoxError;
use tower::util::MapErrLayer;

use super::error::Error;
use super::{Kubernetes, TURNS, kubeconfig};
use crate::base::failure::{Class, Failure, class_of_reading};
use crate::process::time_limit::TimeLimit;

/// Where a pod finds its token, its cluster's authority and its namespace.
const POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

const CONNECT: Duration = Duration::from_secs(10);

/// Keepalive of connections: idle time, then interval and number of probes. A machine that vanished
/// is noticed within a minute, and routers in between do not forget the connection.
const PROBES: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// The least time for finding out where the cluster is and who we are.
const LOCAL: Duration = Duration::from_secs(1);

/// Finds the cluster.
pub async fn connect(time_limit: impl Into<TimeLimit>) -> Result<Kubernetes, Failure> {
    let surroundings = Surroundings::of_this_process();
    Ok(open(surroundings, time_limit.into()).await?)
}

/// Connects to the cluster that one kubeconfig names, wherever this process runs.
pub async fn connect_with(
    kubeconfig: PathBuf,
    time_limit: impl Into<TimeLimit>,
) -> Result<Kubernetes, Failure> {
    let surroundings = Surroundings {
        kubeconfig: vec![kubeconfig],
        service: None,
        pod: POD.into(),
        pod_namespace: None,
        home: None,
    };
    Ok(open(surroundings, time_limit.into()).await?)
}

/// The surroundings that tell where the cluster is. Read once, so that the search can be tested.
pub(super) struct Surroundings {
    /// `KUBECONFIG`, split; empty when it is not set.
    pub(super) kubeconfig: Vec<PathBuf>,
    /// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
    pub(super) service: Option<(String, String)>,
    /// The folder of the pod's ServiceAccount.
    pub(super) pod: PathBuf,
    /// `POD_NAMESPACE`, for pods whose token volume has no file `namespace`.
    pub(super) pod_namespace: Option<String>,
    /// `~/.kube/config`.
    pub(super) home: Option<PathBuf>,
}

impl Surroundings {
    #[expect(
        clippy::disallowed_methods,
        reason = "where a cluster is found is a convention of the environment, and is looked for \
            only if one is needed"
    )]
    fn of_this_process() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let list = std::env::var_os("KUBECONFIG").unwrap_or_default();
        Self {
            kubeconfig: std::env::split_paths(&list)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            service: text("KUBERNETES_SERVICE_HOST").zip(text("KUBERNETES_SERVICE_PORT")),
            pod: POD.into(),
            pod_namespace: text("POD_NAMESPACE"),
            home: std::env::home_dir().map(|home| home.join(".kube/config")),
        }
    }
}

/// The parts of the client whose preparation may block: files are read and, if a kubeconfig says
/// so, a program is run.
struct Parts {
    namespace: String,
    server: String,
    https: HttpsConnector<HttpConnector>,
    base: BaseUriLayer,
    extra: ExtraHeadersLayer,
    auth: Option<AuthLayer>,
}

pub(super) async fn open(
    surroundings: Surroundings,
    time_limit: TimeLimit,
) -> Result<Kubernetes, Error> {
    // If another caller was faster, its provider is installed, which is just as good.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let (send, parts) = oneshot::channel();
    // Nobody waits for this thread: a credential program that hangs must not hold us beyond the
    // deadline.
    let work = move || drop(send.send(find(&surroundings).and_then(|config| prepare(&config))));
    let thread = std::thread::Builder::new()
        .name("kubeconfig".into())
        .spawn(work);
    thread.map_err(|error| Error::Credentials(error.to_string()))?;
    // This work is local: it gets its time even where other steps used up all the time for waiting.
    let end = time_limit.deadline().max(Instant::now() + LOCAL);
    let parts = match timeout_at(end, parts).await {
        Ok(Ok(parts)) => parts?,
        Ok(Err(_)) => return Err(Error::Credentials("reading them failed".into())),
        Err(_) => {
            return Err(Error::LateCredentials);
        }
    };
    Ok(assemble(parts, time_limit))
}

fn find(surroundings: &Surroundings) -> Result<Config, Error> {
    let Surroundings {
        kubeconfig: files,
        service,
        pod,
        pod_namespace,
        home,
    } = surroundings;
    if !files.is_empty() {
        return kubeconfig::load(files);
    }
    let token = pod.join("token");
    if let Some((host, port)) = service.as_ref().filter(|_| token.is_file()) {
        return in_pod(host, port, pod, pod_namespace.as_deref());
    }
    match home {
        Some(file) if file.is_file() => kubeconfig::load(std::slice::from_ref(file)),
        Some(_) | None => Err(Error::NoCluster(if service.is_some() {
            format!("this is a pod, but {} is not there", token.display())
        } else {
            "KUBECONFIG is not set, there is no ~/.kube/config, and this is no pod".to_owned()
        })),
    }
}

fn in_pod(
    host: &str,
    port: &str,
    pod: &Path,
    pod_namespace: Option<&str>,
) -> Result<Config, Error> {
    let host = match host.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(_)) | Err(_) => host.to_owned(),
    };
    let url = format!("https://{host}:{port}").parse();
    let url = url.map_err(|_| {
        Error::NoCluster(format!(
            "KUBERNETES_SERVICE_HOST and _PORT give no address: {host}:{port}"
        ))
    })?;
    let namespace = match std::fs::read_to_string(pod.join("namespace")) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound && pod_namespace.is_some() => {
            pod_namespace.unwrap_or_default().to_owned()
        }
        Err(error) => {
            let file = pod.join("namespace").display().to_string();
            return Err(match class_of_reading(&error) == Class::Unavailable {
                true => Error::Exhausted {
                    file,
                    why: error.to_string(),
                },
                false => Error::NoCluster(format!("our own namespace: {file}: {error}")),
            });
        }
    };
    let mut config = Config::new(url);
    config.default_namespace = namespace;
    // The verifier reads the file, and notices when it changes; an empty list keeps the system's
    // roots unread.
    config.root_cert = Some(Vec::new());
    config.root_cert_file = Some(pod.join("ca.crt"));
    config.auth_info.token_file = Some(pod.join("token").display().to_string());
    Ok(config)
}

fn prepare(config: &Config) -> Result<Parts, Error> {
    let unusable = |error: kube::Error| {
        Error::Credentials(if let kube::Error::Auth(error) = &error {
            credentials(error)
        } else {
            error.to_string()
        })
    };
    let auth = config.auth_layer().map_err(unusable)?;
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT));
    let (idle, again, times) = PROBES;
    http.set_keepalive(Some(idle));
    http.set_keepalive_interval(Some(again));
    http.set_keepalive_retries(Some(times));
    Ok(Parts {
        namespace: config.default_namespace.clone(),
        server: named(&config.cluster_url),
        https: config
            .rustls_https_connector_with_connector(http)
            .map_err(unusable)?,
        base: config.base_uri_layer(),
        extra: config.extra_headers_layer().map_err(unusable)?,
        auth,
    })
}

/// The address of a server, without the user and password that it may hold.
fn named(address: &http::Uri) -> String {
    let scheme = address.scheme_str().unwrap_or_default();
    let host = address.host().unwrap_or_default();
    match address.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

fn assemble(parts: Parts, time_limit: TimeLimit) -> Kubernetes {
    let Parts {
        namespace,
        server,
        https,
        base,
        extra,
        auth,
    } = parts;
    let http: Http<_, kube::client::Body> = Http::builder(TokioExecutor::new()).build(https);
    let boxed = MapErrLayer::new(BoxError::from);
    let builder = ClientBuilder::new(http, namespace.clone())
        .with_layer(&boxed)
        .with_layer(&extra);
    let client = match auth {
        Some(auth) => builder.with_layer(&auth).with_layer(&base).build(),
        None => builder.with_layer(&base).build(),
    };
    Kubernetes {
        client,
        server,
        namespace,
        time_limit,
        turns: Arc::new(Semaphore::new(TURNS)),
        fence: None,
    }
}

/// The output of a credential program may hold the credential, and its command line, as the library
/// reports it, holds environment variables. So only the way it ended is told.
pub(super) fn credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            format!(
                "the credential program of the kubeconfig ended with {}",
                out.status
            )
        }
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) => {
            "the credential program gave an answer that cannot be read".to_owned()
        }
        AuthError::InvalidBearerToken(_) | AuthError::InvalidBasicAuth(_) => {
            "the token or password has characters that no header can carry".to_owned()
        }
        AuthError::ReadTokenFile(error, path) => format!("{}: {error}", path.display()),
        AuthError::AuthExecStart(error) => {
            format!("the credential program cannot be started: {error}")
        }
        AuthError::UnrefreshableTokenResponse
        | AuthError::ExecPluginFailed
        | AuthError::MalformedTokenExpirationDate(_)
        | AuthError::AuthExecSerialize(_)
        | AuthError::AuthExec(_)
        | AuthError::MissingCommand
        | AuthError::ExecMissingClusterInfo
        | AuthError::NoValidNativeRootCA(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
