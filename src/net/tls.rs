//! The trusted roots of TLS: those of one file, or the system's if no file is named. Never both.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use tokio::time::Instant;

use super::error::NetError;
use crate::disk::{DiskError, call_at, read_public};

/// What a certificate is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trust {
    /// If set, no other root counts.
    pub(crate) ca_file: Option<PathBuf>,
    /// The name that a certificate must have instead of the host's.
    pub(crate) server_name: Option<String>,
}

impl Trust {
    /// The system's roots and the host's own name.
    pub(crate) fn of_system() -> Self {
        Self {
            ca_file: None,
            server_name: None,
        }
    }

    /// A client that trusts nobody: for plain http, which needs no roots.
    pub(super) fn nobody() -> Result<ClientConfig, Error> {
        Ok(builder()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth())
    }

    /// A client that checks servers of `address`. Reads the CA file again: it may have been
    /// renewed.
    pub(super) async fn client(
        &self,
        address: &str,
        end: Instant,
    ) -> Result<ClientConfig, NetError> {
        let place = self.ca_file.as_deref().unwrap_or(Path::new(OF_SYSTEM));
        let (trust, of) = (self.clone(), address.to_owned());
        let made = call_at(place, end, move |_| trust.read(&of)).await;
        made.unwrap_or_else(|hangs| {
            Err(NetError::Tls {
                address: address.to_owned(),
                why: DiskError::from(hangs).to_string(),
                hint: "look after the volume there",
            })
        })
    }

    fn read(&self, address: &str) -> Result<ClientConfig, NetError> {
        let failed = |why: String, hint| NetError::Tls {
            address: address.to_owned(),
            why,
            hint,
        };
        let builder = builder().map_err(|error| failed(error.to_string(), DEFECT))?;
        let builder = match &self.ca_file {
            Some(file) => {
                let Roots { store, expired } = Roots::from_file(file)?;
                if expired {
                    return Err(NetError::Untrusted {
                        address: address.to_owned(),
                        why: format!(
                            "every certificate in CA file {} has expired",
                            file.display()
                        ),
                        hint: "renew it; or check the clock here",
                    });
                }
                builder.with_root_certificates(store)
            }
            None => builder.with_native_roots().map_err(|_| {
                let why = "this system has no CA certificates".to_owned();
                failed(why, "name the CA with `caFile`, or install ca-certificates")
            })?,
        };
        Ok(builder.with_no_client_auth())
    }

    /// The name that `server_name` requires.
    pub(super) fn fixed_name(&self) -> Result<Option<ServerName<'static>>, &'static str> {
        self.server_name
            .as_ref()
            .map(|name| {
                ServerName::try_from(name.clone()).map_err(|_| "`serverName` is no host name")
            })
            .transpose()
    }

    /// The reason of a failed handshake, in our words.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enum of rustls may grow"
    )]
    pub(super) fn explain(&self, address: &str, error: &Error) -> NetError {
        let address = address.to_owned();
        let (why, hint) = match error {
            Error::InvalidCertificate(error) => {
                let (why, hint) = self.explain_certificate(error);
                return match is_too_young(error) {
                    true => NetError::Tls { address, why, hint },
                    false => NetError::Untrusted { address, why, hint },
                };
            }
            Error::PeerIncompatible(_)
            | Error::AlertReceived(AlertDescription::ProtocolVersion) => {
                return NetError::Untrusted {
                    address,
                    why: "the server offers neither TLS 1.2 nor TLS 1.3".to_owned(),
                    hint: "older versions are not spoken: renew the server",
                };
            }
            Error::InvalidMessage(_) => (
                "the server does not speak TLS".to_owned(),
                "check scheme and port of the address",
            ),
            error => (error.to_string(), "check what listens at the address"),
        };
        NetError::Tls { address, why, hint }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enum of rustls may grow"
    )]
    fn explain_certificate(&self, error: &CertificateError) -> (String, &'static str) {
        let roots = match &self.ca_file {
            Some(file) => format!("{}", file.display()),
            None => "the system's CA certificates".to_owned(),
        };
        if is_expired(error) {
            return (
                "the server's certificate has expired".to_owned(),
                "renew it; or check the clock here",
            );
        }
        if let CertificateError::NotValidForNameContext {
            expected,
            presented,
        } = error
        {
            let presented = presented.join(", ");
            return (
                format!(
                    "the certificate is not for {}: it names {presented}",
                    expected.to_str()
                ),
                "use a name of the certificate, or set `serverName`",
            );
        }
        match error {
            // A CA that has the same name and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                format!("the certificate is signed by none of {roots}"),
                "name the CA that signed it with `caFile`",
            ),
            error if is_too_young(error) => (
                "the server's certificate is not valid yet".to_owned(),
                "check the clocks",
            ),
            error => (
                format!("the certificate is refused: {error}"),
                "a server certificate of a CA is needed: one that is its own CA will not do",
            ),
        }
    }
}

/// The place of a system's roots, or of the links to them.
const OF_SYSTEM: &str = "/etc/ssl/certs";
const DEFECT: &str = "this is a defect of the build";

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    // The provider is named, so the process default does not matter here.
    ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13, &TLS12])
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Whether a file holds roots that a client can use.
pub(crate) fn check_ca_file(file: &Path) -> Result<(), NetError> {
    Roots::from_file(file).map(|_| ())
}

/// The roots of a PEM file.
struct Roots {
    store: RootCertStore,
    /// Whether all of them have expired.
    expired: bool,
}

impl Roots {
    fn from_file(file: &Path) -> Result<Self, NetError> {
        let unusable = |why: &str| NetError::Roots {
            why: format!("CA file {} {why}", file.display()),
        };
        let pem = read_public(file, "CA file").map_err(|error| NetError::Roots {
            why: error.to_string(),
        })?;
        let certificates: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(pem.expose())
            .collect::<Result<_, _>>()
            .map_err(|_| unusable("is no PEM"))?;
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(certificates.iter().cloned());
        match added {
            0 => Err(unusable("holds no certificate in PEM")),
            _ => Ok(Self {
                expired: certificates.iter().all(|root| has_expired(root, &store)),
                store,
            }),
        }
    }
}

/// The verifier trusts roots whatever their dates. So each root is presented as a server's
/// certificate here: then the dates are checked before everything else.
fn has_expired(root: &CertificateDer<'_>, store: &RootCertStore) -> bool {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store.clone()), provider()).build();
    let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
    verifier.is_ok_and(|verifier| {
        match verifier.verify_server_cert(root, &[], &name, &[], UnixTime::now()) {
            Err(Error::InvalidCertificate(error)) => is_expired(&error),
            Ok(_) | Err(_) => false,
        }
    })
}

fn is_expired(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::Expired | CertificateError::ExpiredContext { .. }
    )
}

fn is_too_young(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }
    )
}
