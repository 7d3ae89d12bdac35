//! Logins for registries, as a `.dockerconfigjson` has them.
//!
//! Not wiped: serde_json's own copy of an `auth` that is spelt with escapes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::Unfit;
use crate::base::coding::base64;
use crate::base::material::SecretBytes;

/// Checks that there is a registry, and that a client finds a login for each.
pub(super) fn check(document: &SecretBytes) -> Result<(), Unfit> {
    let read = serde_json::from_slice::<Document>(document.expose());
    read.map(|_| ()).map_err(|error| Unfit::NoLogin {
        line: error.line(),
        column: error.column(),
    })
}

/// The shape that every client reads. It is only checked, and not kept.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "auths", deserialize_with = "auths")]
    _auths: (),
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default, deserialize_with = "wiped")]
    auth: Option<Zeroizing<String>>,
    username: Option<IgnoredAny>,
    password: Option<IgnoredAny>,
    identitytoken: Option<IgnoredAny>,
    registrytoken: Option<IgnoredAny>,
}

impl Auth {
    fn is_login(&self) -> bool {
        match &self.auth {
            Some(auth) if !auth.is_empty() => {
                base64::decode_spaced(auth.as_bytes()).is_some_and(|pair| pair.contains(&b':'))
            }
            Some(_) | None => {
                self.username.is_some() && self.password.is_some()
                    || self.identitytoken.is_some()
                    || self.registrytoken.is_some()
            }
        }
    }
}

fn wiped<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Zeroizing::new))
}

fn auths<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    struct Auths;
    impl<'de> Visitor<'de> for Auths {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("registries with logins")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut any = false;
            while let Some((server, auth)) = map.next_entry::<String, Auth>()? {
                any = true;
                if server.is_empty() || !auth.is_login() {
                    return Err(serde::de::Error::custom("no login"));
                }
            }
            if any {
                Ok(())
            } else {
                Err(serde::de::Error::custom("no registry"))
            }
        }
    }
    from.deserialize_map(Auths)
}
