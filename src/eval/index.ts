/** Measures of trained policies. */
export { type Agreement, measureAgreement } from "./agreement.js";
export { type AgreementRequest, type AgreementRow, agreementTable } from "./agreement-table.js";
