//! The `[policy]` table of the configuration. It does not know what a policy says.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where the policies are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// The folder of the bundle: every `.cedar` file in it and in its subfolders, hidden ones left
    /// out. A change in it is used from the next operation on; a bundle with an error is not used,
    /// and the one before it stays.
    pub dir: PathBuf,
}
