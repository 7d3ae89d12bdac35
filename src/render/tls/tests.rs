use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, date_time_ymd,
};

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::*;
use crate::base::artifact::secret::{TLS, fit};
use crate::base::failure::Class;
use crate::render::testing::{fields, list, text};

/// root → between → leaf, all valid from 2020 to 2030.
struct Authority {
    root: String,
    between: String,
    leaf: String,
    key: String,
}

fn params(name: &str, is_ca: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec![format!("{name}.test")]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn authority(key: KeyPair) -> Authority {
    let generate = || KeyPair::generate().expect("a key");
    let root = Issuer::new(params("root", true), generate());
    let root_pem = params("root", true)
        .self_signed(root.key())
        .expect("signed")
        .pem();
    let between_key = generate();
    let between = params("between", true);
    let between_pem = between
        .signed_by(&between_key, &root)
        .expect("signed")
        .pem();
    let between = Issuer::new(between, between_key);
    let leaf = params("leaf", false).signed_by(&key, &between);
    Authority {
        root: root_pem,
        between: between_pem,
        leaf: leaf.expect("signed").pem(),
        key: key.serialize_pem(),
    }
}

fn ecdsa() -> Authority {
    authority(KeyPair::generate().expect("a key"))
}

fn now() -> Timestamp {
    "2025-01-01T00:00:00Z".parse().expect("a time")
}

fn pair(certificates: &str, key: &str) -> Fields<'static> {
    fields([("tls.crt", text(certificates)), ("tls.key", text(key))])
}

fn made(fields: &Fields<'_>, now: Timestamp) -> Result<Data, Failure> {
    let mut data = build(fields)?;
    let at = crate::base::artifact::ObjectName {
        namespace: "n".to_owned(),
        name: "s".to_owned(),
    };
    fit(&at, TLS, &mut data, now)?;
    Ok(data)
}

fn written(fields: &Fields<'_>, key: &str) -> Option<String> {
    let data = made(fields, now()).unwrap_or_else(|error| panic!("{error}"));
    let bytes = data.get(key)?;
    Some(bytes.expose_str().expect("text").to_owned())
}

/// Two PEM writers may use other line ends and line lengths, but the certificates must be equal.
fn same(one: &str, two: &str) -> bool {
    let ders = |pem: &str| -> Vec<_> {
        CertificateDer::pem_slice_iter(pem.as_bytes())
            .map(|der| der.expect("PEM"))
            .collect()
    };
    ders(one) == ders(two)
}

#[test]
fn every_kind_of_key_is_matched() {
    let rsa = {
        use aws_lc_rs::encoding::AsDer as _;
        let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048);
        let der = key.expect("a key").as_der().expect("DER");
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = der;
        KeyPair::try_from(der.as_ref().to_vec()).expect("a key")
    };
    for key in [
        KeyPair::generate_for(&PKCS_ED25519).expect("a key"),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key"),
        rsa,
    ] {
        let authority = authority(key);
        let pair = pair(&authority.leaf, &authority.key);
        assert!(written(&pair, "tls.key").is_some());
    }
}

#[test]
fn a_good_chain_goes_to_the_byte_and_a_shuffled_one_is_put_in_order() {
    let Authority {
        root,
        between,
        leaf,
        key,
    } = ecdsa();
    let good = format!("# a comment\r\n{leaf}\n{between}{root}");
    assert_eq!(
        written(&pair(&good, &key), "tls.crt").as_deref(),
        Some(good.as_str())
    );
    let cut = good.trim_end();
    assert_eq!(
        written(&pair(cut, &key), "tls.crt"),
        Some(format!("{cut}\n"))
    );
    for shuffled in [
        format!("{between}{leaf}{root}"),
        format!("{root}{between}{leaf}"),
        format!("{leaf}{root}{between}"),
        format!("{leaf}{between}{leaf}{root}"),
    ] {
        let mended = written(&pair(&shuffled, &key), "tls.crt").expect("a chain");
        assert!(same(&mended, &format!("{leaf}{between}{root}")));
    }
    assert_eq!(written(&pair(&leaf, &key), "ca.crt"), None);
}

#[test]
fn the_names_of_vault_are_understood() {
    let Authority {
        root,
        between,
        leaf,
        key,
    } = ecdsa();
    let answer = |extra: Vec<(&str, Node)>| {
        let mut made = fields([("certificate", text(&leaf)), ("private_key", text(&key))]);
        let more = extra.into_iter().map(|(name, node)| {
            let [field] =
                <[_; 1]>::try_from(fields([(name, node)]).list).unwrap_or_else(|_| panic!());
            field
        });
        made.list.extend(more);
        made
    };
    let whole = list([text(between.trim_end()), text(&root)]);
    for (extra, chain, ca) in [
        (
            vec![("ca_chain", whole), ("issuing_ca", text(&between))],
            format!("{leaf}{between}"),
            Some(&root),
        ),
        (
            vec![("ca_chain", list([text(&between)]))],
            format!("{leaf}{between}"),
            Some(&between),
        ),
        (
            vec![("issuing_ca", text(&between))],
            format!("{leaf}{between}"),
            Some(&between),
        ),
        (
            vec![("issuing_ca", text(&between)), ("ca.crt", text(&root))],
            format!("{leaf}{between}"),
            Some(&root),
        ),
        (vec![], leaf.clone(), None),
    ] {
        let made = answer(extra);
        assert!(same(&written(&made, "tls.crt").expect("a chain"), &chain));
        let found = written(&made, "ca.crt");
        assert_eq!(found.is_some(), ca.is_some());
        assert!(found.zip(ca).is_none_or(|(found, ca)| same(&found, ca)));
        assert_eq!(written(&made, "tls.key").as_deref(), Some(key.as_str()));
    }
}

#[test]
fn what_is_no_pair_is_refused() {
    let Authority {
        root,
        between,
        leaf,
        key,
    } = ecdsa();
    let other = ecdsa();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let torn = leaf.replace("-----END CERTIFICATE-----", "");
    let no_der = "-----BEGIN CERTIFICATE-----\nQ0FOQVJZ\n-----END CERTIFICATE-----\n";
    for (certificates, key, class, expected) in [
        (
            leaf.clone(),
            other.key.clone(),
            Class::Refused,
            "the private key belongs to none of the certificates",
        ),
        (
            between.clone(),
            key.clone(),
            Class::Refused,
            "the private key belongs to none of the certificates",
        ),
        (
            format!("{leaf}{}", other.leaf),
            key.clone(),
            Class::Refused,
            "1 of the certificates do not belong to the chain of the first",
        ),
        (
            format!("{leaf}{root}"),
            key.clone(),
            Class::Refused,
            "1 of the certificates do not belong to the chain of the first",
        ),
        (
            "CANARY".to_owned(),
            key.clone(),
            Class::Corrupt,
            "`tls.crt` holds no certificate in PEM",
        ),
        (
            torn,
            key.clone(),
            Class::Corrupt,
            "`tls.crt` holds no certificate in PEM",
        ),
        (
            no_der.to_owned(),
            key.clone(),
            Class::Corrupt,
            "`tls.crt` holds no certificate in PEM",
        ),
        (
            leaf.clone(),
            "CANARY".to_owned(),
            Class::Corrupt,
            "there is no private key in PEM that TLS can use",
        ),
        (
            leaf.clone(),
            encrypted,
            Class::Corrupt,
            "there is no private key in PEM that TLS can use",
        ),
        (
            leaf.clone(),
            leaf.clone(),
            Class::Corrupt,
            "there is no private key in PEM that TLS can use",
        ),
        (
            leaf.clone(),
            no_der.replace("CERTIFICATE", "PRIVATE KEY"),
            Class::Corrupt,
            "there is no private key in PEM that TLS can use",
        ),
    ] {
        let error = made(&pair(&certificates, &key), now()).expect_err(expected);
        assert_eq!((error.class, error.what.as_str()), (class, expected));
        assert!(error.hint.is_some() && !format!("{error:?}").contains("CANARY"));
    }
}

#[test]
fn dates_are_held_against_the_clock() {
    let authority = ecdsa();
    for (clock, expected) in [
        (
            "2019-12-31T23:50:00Z",
            Some("certificate 1 of the chain is not valid before 2020-01-01T00:00:00Z"),
        ),
        ("2019-12-31T23:56:00Z", None),
        ("2029-12-31T23:59:59Z", None),
        (
            "2030-01-01T00:00:01Z",
            Some("certificate 1 of the chain expired at 2030-01-01T00:00:00Z"),
        ),
    ] {
        let clock = clock.parse().expect("a time");
        let error = made(&pair(&authority.leaf, &authority.key), clock).err();
        assert_eq!(error.map(|error| error.what).as_deref(), expected);
    }
}

/// Certificates of version 1 and with an unknown critical extension, which webpki does not read.
#[test]
fn row_206_a_certificate_of_any_version_is_matched_by_its_public_key() {
    macro_rules! vector {
        ($name:literal) => {
            include_str!(concat!("../../../tests/vectors/tls/", $name))
        };
    }
    let clock = "2050-01-01T00:00:00Z".parse().expect("a time");
    let (rsa, ec) = (vector!("rsa.key"), vector!("ec.key"));
    for (certificate, key, other) in [
        (vector!("rsa-v1.crt"), rsa, ec),
        (vector!("ec-v1.crt"), ec, rsa),
        (vector!("ec-critical.crt"), ec, rsa),
    ] {
        let data = made(&pair(certificate, key), clock).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(data["tls.crt"].expose(), certificate.as_bytes());
        for foreign in [other, &ecdsa().key] {
            let error = made(&pair(certificate, foreign), clock).expect_err("a stranger's key");
            assert_eq!(
                (error.class, error.what.as_str()),
                (
                    Class::Refused,
                    "the private key belongs to none of the certificates"
                )
            );
        }
    }
}
