//! Type names that stand more than once in the project, each with the reason. The test fails when one is no longer needed.

/// The name, and why there are several.
pub const DOUBLE_NAMES: &[(&str, &str)] =
    &[("Visible", "one type a platform, of which only one is compiled: source/portable/on_linux.rs or elsewhere.rs")];
