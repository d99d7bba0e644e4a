//! The PKCS#11 ring. (skeleton)
