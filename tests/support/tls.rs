//! A certificate authority of one test: real servers serve what it issues, clients are given its
//! file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A fresh authority; its key lives only in this process.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key, both PEM.
pub(crate) struct Identity {
    /// The leaf certificate.
    pub(crate) certificate: String,
    /// Its PKCS#8 key.
    pub(crate) key: String,
}

impl Authority {
    /// Makes a new one.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are no bad names");
        // Two of one name would be told apart by their keys only, and fail with another error than
        // strangers do.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "keyferry test authority {}",
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate().expect("a key can be made");
        let pem = params
            .self_signed(&key)
            .expect("a certificate can sign itself")
            .pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// The certificate that clients trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server certificate for `names` (IP addresses are recognised).
    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        self.sign(leaf(names))
    }

    /// The same, valid only in the year 2000.
    pub(crate) fn issue_expired(&self, names: &[&str]) -> Identity {
        let mut params = leaf(names);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2000, 12, 31);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("our authority can sign")
            .pem();
        Identity {
            certificate,
            key: key.serialize_pem(),
        }
    }
}

impl Identity {
    /// What a server of this identity needs.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        let chain = chain
            .map(|certificate| certificate.expect("our own PEM"))
            .collect();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("our own PEM");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("key and certificate match");
        Arc::new(config)
    }
}

fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("the names of a test are good names");
    params
        .distinguished_name
        .push(DnType::CommonName, "keyferry test server");
    params
}

/// An RSA key with its own certificate, as the sealed-secrets controller makes them for itself.
pub(crate) fn sealing_key() -> Identity {
    let key =
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key can be made");
    let certificate = leaf(&["sealed-secrets"])
        .self_signed(&key)
        .expect("a certificate can sign itself");
    Identity {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}
