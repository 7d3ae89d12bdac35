//! What would happen to each copy if the reflector started now, as a plan shows it: names and
//! reasons, never a value.

use super::place::{CopiedKind, ObjectPlace};
use super::reason::{CopyReason, CopyRefusal, Farewell};
use crate::base::artifact::ObjectName;
use crate::base::failure::Failure;

/// Everything that would happen.
#[derive(Debug, Default)]
pub struct Foresight {
    /// By kind and place; what is as it should be is only counted.
    pub steps: Vec<Foreseen>,
    /// Copies and mirrors at which nothing is to be done.
    pub kept: usize,
    /// What the authors of sources should know: at which object, and what.
    pub remarks: Vec<(CopiedKind, ObjectPlace, String)>,
    /// Sources that give to places which others have.
    pub rivals: Vec<(CopiedKind, ObjectPlace, CopyRefusal)>,
    /// What could not be looked at; its places are left with the reason.
    pub failures: Vec<Failure>,
}

/// What would happen at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// Its kind.
    pub kind: CopiedKind,
    /// Where it is, or would be.
    pub place: ObjectPlace,
    /// Of what it is a copy, or would be.
    pub source: Option<ObjectPlace>,
    /// What would be done.
    pub act: Act,
}

/// What would be done at one place, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A copy is made where nothing is.
    Create(CopyReason),
    /// A copy of another controller, or one that is not signed, becomes ours.
    Adopt(CopyReason, Outlook),
    /// Our copy is written again.
    Update(CopyReason, Outlook),
    /// An object that asks for it is filled.
    Fill(CopyReason),
    /// A copy goes.
    Delete(Farewell),
    /// A copy would go, and waits for a person.
    Hold(Option<Farewell>, CopyRefusal),
    /// Nothing, although somebody asks for it.
    Leave(CopyRefusal),
    /// Nothing: the copy of another controller, to which nobody gives any more.
    Unclaimed,
}

/// What stands where a copy would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// It holds what it should, so only its marks change.
    pub same: bool,
    /// Its type or its immutability forbid an update: it is deleted and made again.
    pub remade: bool,
}

impl Foresight {
    /// Adds the commands that decide what waits for a person, each once.
    pub fn name_orders(&mut self, lease: &ObjectName) {
        let left = self.steps.iter().filter_map(|step| match &step.act {
            Act::Hold(_, refusal) | Act::Leave(refusal) => {
                Some((step.kind, step.source.as_ref()?, refusal))
            }
            Act::Create(_)
            | Act::Adopt(..)
            | Act::Update(..)
            | Act::Fill(_)
            | Act::Delete(_)
            | Act::Unclaimed => None,
        });
        let rivals = self.rivals.iter();
        let rivals = rivals.map(|(kind, source, refusal)| (*kind, source, refusal));
        let mut orders = Vec::new();
        for (kind, source, refusal) in left.chain(rivals) {
            if let Some(order) = refusal.order(kind, source) {
                let what = format!("{refusal}; {}", order.hint(lease));
                let remark = (kind, source.clone(), what);
                if !orders.contains(&remark) {
                    orders.push(remark);
                }
            }
        }
        self.remarks.extend(orders);
    }
}

impl Foreseen {
    /// Whether the cluster would be another afterwards, or would be if a person let it.
    pub fn is_change(&self) -> bool {
        !matches!(self.act, Act::Leave(_) | Act::Unclaimed)
    }
}

impl Act {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Adopt(_, Outlook { remade: true, .. })
            | Self::Update(_, Outlook { remade: true, .. }) => "recreate",
            Self::Adopt(..) => "adopt",
            Self::Update(..) => "update",
            Self::Fill(_) => "fill",
            Self::Delete(_) => "delete",
            Self::Hold(..) => "hold",
            Self::Leave(_) | Self::Unclaimed => "leave",
        }
    }

    /// One word more, where it is left: that of Events and metrics.
    pub fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Hold(_, refusal) | Self::Leave(refusal) => Some(refusal.word()),
            Self::Unclaimed => Some("Unclaimed"),
            Self::Create(_)
            | Self::Adopt(..)
            | Self::Update(..)
            | Self::Fill(_)
            | Self::Delete(_) => None,
        }
    }

    /// What was seen of what stands there, where that decides something.
    pub fn outlook(&self) -> Option<Outlook> {
        match self {
            Self::Adopt(_, outlook) | Self::Update(_, outlook) => Some(*outlook),
            Self::Create(_)
            | Self::Fill(_)
            | Self::Delete(_)
            | Self::Hold(..)
            | Self::Leave(_)
            | Self::Unclaimed => None,
        }
    }

    /// Why, for a person.
    pub fn why(&self) -> String {
        let remade = |why: String, outlook: &Outlook| match outlook.remade {
            true => format!("{why}; its type or immutability forbids an update"),
            false => why,
        };
        match self {
            Self::Create(reason) | Self::Fill(reason) => reason.to_string(),
            Self::Adopt(reason, outlook) => {
                let what = match outlook.same {
                    true => "only its marks change",
                    false => "its content differs and is written again",
                };
                remade(format!("{reason}; {what}"), outlook)
            }
            Self::Update(reason, outlook) => remade(reason.to_string(), outlook),
            Self::Delete(reason) => reason.to_string(),
            Self::Hold(reason, refusal) => match reason {
                Some(reason) => format!("{reason}; {refusal}"),
                None => refusal.to_string(),
            },
            Self::Leave(refusal) => refusal.to_string(),
            Self::Unclaimed => {
                "another controller made it, and no source gives to it any more".to_owned()
            }
        }
    }
}
