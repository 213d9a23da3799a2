//! (skeleton) `conntop list`.
