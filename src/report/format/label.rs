//! Values that are one of a few words in JSON: the type says which, for what is printed and for the schema.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::knowledge::owners::Basis;
use crate::knowledge::ports::Danger;
use crate::knowledge::ranges::PortClass;
use crate::model::action::Caution;
use crate::model::delta::{AgeBasis, EventSource};
use crate::model::endpoint::{Family, Protocol};
use crate::model::exposure::Exposure;
use crate::model::outcome::Outcome;
use crate::model::reach::Reach;
use crate::model::snapshot::SourceKind;
use crate::model::tcp_state::{STATES, TcpState};

/// A type whose values have one word each.
pub trait Labelled {
    /// Every word that JSON can have.
    fn labels() -> Vec<&'static str>;
    /// The word of this value.
    fn label(&self) -> &'static str;
}

/// A value as its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<T>(pub T);

impl<T: Labelled> Serialize for Label<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.label())
    }
}

impl<T: Labelled> JsonSchema for Label<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "label".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": T::labels() })
    }
}

macro_rules! labelled {
    ($($type:ty: $label:ident of $all:expr;)*) => {$(
        impl Labelled for $type {
            fn labels() -> Vec<&'static str> {
                $all.into_iter().map(|value: $type| value.$label()).collect()
            }

            fn label(&self) -> &'static str {
                (*self).$label()
            }
        }
    )*};
}

labelled! {
    AgeBasis: label of [Self::Observed, Self::Kernel, Self::AtLeast];
    Basis: label of Self::ALL;
    Caution: label of [Self::Ssh, Self::ContainerInit];
    Danger: label of Self::ALL;
    Exposure: label of Self::ALL;
    Family: name of Self::ALL;
    Outcome: label of Self::ALL.into_iter().filter_map(Self::known);
    PortClass: name of [Self::WellKnown, Self::Registered, Self::Dynamic];
    Protocol: name of Self::ALL;
    Reach: label of Self::ALL;
    SourceKind: name of [Self::Linux, Self::Procfs, Self::Portable, Self::Replay, Self::Synthetic];
    TcpState: name of STATES.map(|row| row.state);
    EventSource: label of [Self::Samples, Self::DestroyEvent, Self::Tracepoint];
}
