//! The JSON schema of the file, for editors and for anyone who generates configs.

use schemars::generate::SchemaSettings;

use super::raw::RawConfig;

/// The schema as it is committed in `config/schema.json`: JSON, indented, with a newline at the end.
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<RawConfig>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}
