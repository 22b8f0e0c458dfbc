export const console = 'not built yet'
