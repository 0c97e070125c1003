/** With fewer observations or episodes a bootstrap is too narrow to be told. */
export const LEAST_OF_BOOTSTRAP = 20;
