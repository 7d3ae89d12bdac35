//! What would happen to each copy if the reflector started now, in the form of a plan: names and
//! reasons, never a value.

use super::place::{CopiedKind, ObjectPlace};
use super::reason::{CopyReason, CopyRefusal, Farewell};
use crate::base::artifact::ObjectName;
use crate::base::failure::Failure;

/// Everything that would happen.
#[derive(Debug, Default)]
pub struct Foresight {
    /// By kind and place; copies that need nothing are only counted.
    pub steps: Vec<Foreseen>,
    /// Number of copies and mirrors that need nothing.
    pub kept: usize,
    /// Remarks for the authors of sources, each with the object that it is about.
    pub remarks: Vec<(CopiedKind, ObjectPlace, String)>,
    /// Sources that give to places which belong to others.
    pub rivals: Vec<(CopiedKind, ObjectPlace, CopyRefusal)>,
    /// Reads that failed; the places that depend on them are left unchanged, with the reason.
    pub failures: Vec<Failure>,
}

/// What would happen at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// Its kind.
    pub kind: CopiedKind,
    /// Where it is, or would be.
    pub place: ObjectPlace,
    /// The source of the copy that is there or would be there.
    pub source: Option<ObjectPlace>,
    /// What would be done.
    pub act: Act,
}

/// The action at one place, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A copy is made where nothing is.
    Create(CopyReason),
    /// A copy of another controller, or one that is not signed, becomes ours.
    Adopt(CopyReason, Outlook),
    /// Our copy is written again.
    Update(CopyReason, Outlook),
    /// An object that asks to be filled is filled.
    Fill(CopyReason),
    /// A copy is deleted.
    Delete(Farewell),
    /// A copy would be deleted, but waits for a person.
    Hold(Option<Farewell>, CopyRefusal),
    /// Nothing is done, although somebody asks for it.
    Leave(CopyRefusal),
    /// Nothing is done: another controller made the copy, and no source gives to it any more.
    Unclaimed,
}

/// What stands where a copy would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// It has the wanted content, so only its marks change.
    pub same: bool,
    /// Its type or its immutability forbid an update: it is deleted and created again.
    pub remade: bool,
}

impl Foresight {
    /// Adds, each once, the commands that a person can use to decide what waits.
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
    /// Whether the cluster would be different afterwards, or would be if a person allowed it.
    pub fn is_change(&self) -> bool {
        !matches!(self.act, Act::Leave(_) | Act::Unclaimed)
    }
}

impl Act {
    /// The word for the action in a plan.
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

    /// For a refusal, the word that Events and metrics use for it.
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

    /// What was seen at the place, if it matters for the action.
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

    /// The reason, for a person.
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
