export function verdictOf(text: string, status: number | null): { readonly passed: boolean; readonly says: string };
