//! The vendor's error numbers
//! (<https://developers.cloudflare.com/cloudflare-for-platforms/cloudflare-for-saas/reference/status-codes/>, "Custom
//! CSRs"), and those of its API as a whole where that table has none.

pub(super) const TOKEN_NOT_EXTRACTED: u16 = 1000;
pub(super) const TOKEN_NOT_VERIFIED: u16 = 1003;
/// Also for what else is wrong with a body or a query.
pub(super) const UNDECODABLE: u16 = 1400;
pub(super) const NO_ZONE: u16 = 1401;
pub(super) const NO_CREDENTIAL: u16 = 1402;
pub(super) const QUOTA: u16 = 1403;
pub(super) const NOT_GRANTED: u16 = 1404;
pub(super) const COUNTRY: u16 = 1405;
pub(super) const STATE: u16 = 1406;
pub(super) const LOCALITY: u16 = 1407;
pub(super) const ORGANIZATION: u16 = 1408;
pub(super) const COMMON_NAME: u16 = 1409;
pub(super) const COMMON_NAME_TOO_LONG: u16 = 1410;
pub(super) const NO_SAN: u16 = 1411;
pub(super) const SAN: u16 = 1412;
pub(super) const SAN_NOT_ASCII: u16 = 1413;
pub(super) const SAN_RESERVED: u16 = 1414;
pub(super) const SAN_NOT_REGISTRABLE: u16 = 1415;
pub(super) const SAN_EXAMPLE: u16 = 1416;
pub(super) const KEY_TYPE: u16 = 1417;
pub(super) const MALFORMED_ID: u16 = 1418;
pub(super) const NOT_FOUND: u16 = 1419;
pub(super) const IN_USE: u16 = 1420;
pub(super) const INTERNAL: u16 = 1500;
/// "Invalid request headers", with the header in the chain.
pub(super) const INVALID_HEADERS: u16 = 6003;
pub(super) const INVALID_X_AUTH_EMAIL: u16 = 6102;
pub(super) const INVALID_X_AUTH_KEY: u16 = 6103;
/// "Could not route to ..."
pub(super) const NO_ROUTE: u16 = 7003;
pub(super) const AUTHENTICATION: u16 = 10_000;
pub(super) const METHOD: u16 = 10_405;
pub(super) const TOO_MANY: u16 = 10_429;
