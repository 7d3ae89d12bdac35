//! How messages name objects of the cluster, and fields of them that somebody else owns.

use std::fmt;

use crate::artifact::ObjectName;

/// The kinds of object that we touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A ServiceAccount.
    ServiceAccount,
}

impl Kind {
    /// Its name in a path and in a Role.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::ServiceAccount => "serviceaccounts",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::ServiceAccount => "service account",
        })
    }
}

/// One object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub at: ObjectName,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.at)
    }
}

/// A field that somebody else owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The field manager.
    pub manager: String,
    /// The field's path.
    pub path: String,
}

/// Claims as one text: `helm has .data.a, .data.b; argocd-controller has .type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims(pub Vec<Claim>);

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut managers: Vec<&str> = self.0.iter().map(|claim| claim.manager.as_str()).collect();
        managers.sort_unstable();
        managers.dedup();
        for (at, manager) in managers.iter().enumerate() {
            let own = self.0.iter().filter(|claim| claim.manager == *manager);
            let paths: Vec<&str> = own.map(|claim| claim.path.as_str()).collect();
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}`{manager}` has {}", paths.join(", "))?;
        }
        Ok(())
    }
}
